//! The tracker's numbers by name, for sweeps that need no new build.

use anyhow::{Context, bail};
use pleach_core::tracker::TrackerConfig;

/// Makes the table of fields from their names.
macro_rules! set_field {
    ($config:ident, $key:ident, $value:ident, [$($field:ident),* $(,)?]) => {
        match $key {
            $(stringify!($field) => {
                $config.$field = $value.parse().with_context(|| format!("{} is no value for {}", $value, $key))?;
            })*
            _ => bail!("the tracker has no setting {:?}; there are {}", $key, [$(stringify!($field)),*].join(", ")),
        }
    };
}

/// Carries out `key=value`.
pub fn set(config: &mut TrackerConfig, assignment: &str) -> anyhow::Result<()> {
    let (key, value) = assignment.split_once('=').with_context(|| format!("{assignment:?} is not key=value"))?;
    set_field!(
        config,
        key,
        value,
        [
            topology,
            stripes,
            fan_out_max,
            laterals,
            links_max,
            epoch_ms,
            peers_per_swarm_max,
            heartbeat_ms,
            silence_ms_max,
            away_ms_max,
            messages_per_s_max,
            join_ms_max,
            reporters_to_ban,
        ]
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_there_and_what_is_wrong_is_told() {
        let mut config = TrackerConfig::default();
        set(&mut config, "stripes=7").unwrap();
        assert_eq!(config.stripes, 7);
        let error = |assignment| set(&mut TrackerConfig::default(), assignment).unwrap_err().to_string();
        assert!(error("colour=red").contains("stripes"));
        assert!(error("stripes=red").contains("red"));
        assert!(error("stripes").contains("key=value"));
    }
}
