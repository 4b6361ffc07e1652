"""Starts `python -m speechvq.report`."""

from speechvq.report import main

raise SystemExit(main())
