"""One file per command of `ibbench`."""
