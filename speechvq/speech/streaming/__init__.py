"""Voice conversion on a stream: each part keeps what it needs of the past and states its look-ahead."""
