"""The tab New world: pictures dropped in become a world, then its networks are fitted."""
