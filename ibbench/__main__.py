"""`python -m ibbench`."""

from ibbench.cli import main

main()
