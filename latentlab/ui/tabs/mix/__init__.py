"""The tab Mix: one picture with a partner, or two sets along a pairing. What is mixed is in `session.mixing`."""
