//! Settles findings and writes them.
