//! Converting OpenMetrics to Prometheus' older text format.

/// Families and samples are the same. Only comments differ: a counter's metadata uses the name of its samples, with
/// `_total`, and there are no units and no end marker.
pub(super) fn classic(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("# UNIT ") || line == "# EOF" {
            continue;
        }
        let typed = if line.starts_with("# HELP ") { lines.peek().copied() } else { Some(line) };
        let counter = typed.and_then(|typed| typed.strip_prefix("# TYPE ")?.strip_suffix(" counter"));
        match counter.and_then(|name| line.split_once(name).map(|(before, after)| (before, name, after))) {
            Some((before, name, after)) => text.extend([before, name, "_total", after]),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::classic;

    #[test]
    fn counters_are_described_by_the_name_of_their_samples() {
        let open = "# HELP a_calls Calls.\n# TYPE a_calls counter\na_calls_total{b=\"c\"} 1\n\
                    # HELP d_seconds Time.\n# TYPE d_seconds gauge\n# UNIT d_seconds seconds\nd_seconds 1.5\n# EOF\n";
        let expected = "# HELP a_calls_total Calls.\n# TYPE a_calls_total counter\na_calls_total{b=\"c\"} 1\n\
                        # HELP d_seconds Time.\n# TYPE d_seconds gauge\nd_seconds 1.5\n";
        assert_eq!(classic(open), expected);
    }
}
