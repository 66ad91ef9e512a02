//! The real SDKs from the real package indexes. Ignored by default: it needs a network and half a minute.

use domain::{Family, Runtime};
use runtimes::{Catalogue, DetectOptions, sdk};

#[tokio::test]
#[ignore = "needs a network"]
async fn both_sdks_are_installed_and_shown_to_functions() {
    let cache = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::detect(&DetectOptions::host(cache.path().to_owned())).unwrap();
    for (family, runtime, inside) in [
        (Family::Python, Runtime::Python312, "/var/runtime/python"),
        (Family::Node, Runtime::Node20, "/var/runtime/node_modules"),
    ] {
        let installed = sdk::ensure(&catalogue, family, |progress| eprintln!("{progress:?}")).await.unwrap();
        eprintln!("{installed:?}");
        assert!(installed.iter().all(|sdk| sdk.version.split('.').count() == 3), "{installed:?}");
        let template = catalogue.serve(runtime).unwrap().template();
        let bind = template.binds.iter().find(|bind| bind.inside.as_os_str() == inside).unwrap();
        assert!(bind.host.starts_with(cache.path()), "{bind:?}");
    }
}
