"""Run ``python -m tallyfy_provider``."""

from tallyfy_provider.check.command import main

if __name__ == "__main__":
    raise SystemExit(main())
