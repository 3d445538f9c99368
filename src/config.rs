//! `.thebot-lint.yaml`, with spans.
