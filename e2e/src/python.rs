//! Python's clients, in an environment of their own under the target directory.
