//! Judges objects as the API server of each version would.
