"""Starts `python -m speechvq.train`."""

from speechvq.train import main

raise SystemExit(main())
