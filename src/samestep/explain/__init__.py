"""Why two programs differ: settings of reference semantics that reproduce what each side did, and the line that mends it."""
