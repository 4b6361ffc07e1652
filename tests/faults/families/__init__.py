"""One module a family: `cases` yields its named cases, `TRIED` says in one line what they are."""
