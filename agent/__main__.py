"""`python -m antiphon` is the command `antiphon`."""

from antiphon.cli import main

main()
