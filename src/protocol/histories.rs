//! How many random histories the property tests play: those of all layers here, and those of tools/models.

use proptest::prelude::ProptestConfig;

/// 20 000 of each; more by `PROPTEST_CASES`.
pub(crate) fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    ProptestConfig { cases: config.cases.max(20_000), ..config }
}
