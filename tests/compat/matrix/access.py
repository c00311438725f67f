"""How callers prove who they are: to servers that ask for nothing, for a token, and for one in a header of its own."""

from matrix.axes import Access

_DEFAULT, _OWN = "authorization", "x-compat-token"

OPEN = Access("no authentication", "plain")
RIGHT = Access("the right token", "guarded", ((_DEFAULT, "Bearer first"),))
OWN_RIGHT = Access("the right token in a header of its own", "renamed", ((_OWN, "Bearer x"),))

ADMITTED = [
    OPEN,
    RIGHT,
    Access("another right token", "guarded", ((_DEFAULT, "Bearer second"),)),
    Access("blanks before the token", "guarded", ((_DEFAULT, "Bearer    first"),)),
    OWN_RIGHT,
]

REFUSED = [
    *(
        Access(title, "guarded", tuple((_DEFAULT, value) for value in values), admitted=False)
        for title, values in (
            ("no token", []),
            ("a wrong token", ["Bearer wrong"]),
            ("the token twice", ["Bearer first", "Bearer first"]),
            ("a token without Bearer", ["first"]),
            ("bearer in small letters", ["bearer first"]),
            ("bearer in capital letters", ["BEARER first"]),
            ("a password", ["Basic first"]),
            ("Bearer and no token", ["Bearer"]),
            ("an empty header", [""]),
            ("the token in capital letters", ["Bearer FIRST"]),
            ("a part of the token", ["Bearer firs"]),
            ("two tokens in one header", ["Bearer first second"]),
            ("a token in quotes", ['Bearer "first"']),
        )
    ),
    Access("the token in a header that is not asked for", "guarded", ((_OWN, "first"),), admitted=False),
    *(
        Access(f"{title}, in a header of its own", "renamed", headers, admitted=False)
        for title, headers in (
            ("no token", ()),
            ("the token in the usual header", ((_DEFAULT, "Bearer x"),)),
            ("a part of the token", ((_OWN, "x"),)),
            ("an empty token", ((_OWN, ""),)),
            ("the token twice", ((_OWN, "Bearer x"), (_OWN, "Bearer x"))),
        )
    ),
]
