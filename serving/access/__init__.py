"""Who may ask what, how often and how much: keys, scopes and limits in front of every route."""
