"""What the gate notes in the scope of a request, for logs, figures and the connection itself."""

KEY = "onje.key"  # the id of the key that let it in; absent where none was asked for
PATH = "onje.path"  # the path as its route writes it, without ids; absent where no route knows it
