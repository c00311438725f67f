"""FlexConnect functions over public tables: the weather of Seattle, and the airports of the United States."""
