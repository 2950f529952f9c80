//! An engine that swallows and streams without end, for what a real one would take too long for.
