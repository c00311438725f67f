"""Every method, asked everything there is to ask, by every client that may ask: a table of cases that is generated."""
