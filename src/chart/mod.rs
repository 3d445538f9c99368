//! Charts: loading, subcharts, values with their origin, environments.
