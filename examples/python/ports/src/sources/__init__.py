"""FlexConnect functions over what people have: an HTTP API, tables in files, a model, a database."""
