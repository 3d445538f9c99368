//! Helm's pkg/engine: a chart's templates in Helm's order over the values of one environment.
