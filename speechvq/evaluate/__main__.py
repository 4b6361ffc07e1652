"""Starts `python -m speechvq.evaluate`."""

from speechvq.evaluate import main

raise SystemExit(main())
