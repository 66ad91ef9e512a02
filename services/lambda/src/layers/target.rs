//! Which layer a request is about.

use domain::{Account, Principal, Region, Scope};
use store::Snapshot;
use wire::{Context, Error};

use super::record::{LAYER_VERSIONS, LayerVersionRecord, layer_arn, version_arn};
use crate::error::{Refusal, invalid_parameter, service};

/// A layer, in whatever account and region its ARN names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerTarget {
    /// Where the layer lives.
    pub scope: Scope,
    /// Its name.
    pub name: String,
}

/// One version of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionTarget {
    /// The layer.
    pub layer: LayerTarget,
    /// The version's number.
    pub version: u64,
}

impl LayerTarget {
    /// Reads `LayerName`: a name in the caller's own account and region, or an ARN. The model has checked its form.
    pub fn parse(cx: &Context, name_or_arn: &str) -> Result<Self, Error> {
        match name_or_arn.split(':').collect::<Vec<_>>()[..] {
            [name] => Ok(Self { scope: cx.scope.clone(), name: name.to_owned() }),
            [_, _, _, region, account, _, name] => {
                Ok(Self { scope: scope(region, account)?, name: name.to_owned() })
            }
            _ => Err(no_such_resource()),
        }
    }

    /// Refuses another account's layer, and one of another region.
    pub fn check_own(&self, cx: &Context, action: &str) -> Result<(), Error> {
        self.check_own_as(cx, action, || layer_arn(&self.scope, &self.name))
    }

    fn check_own_as(&self, cx: &Context, action: &str, arn: impl FnOnce() -> String) -> Result<(), Error> {
        if self.scope.account != cx.scope.account {
            return Err(access_denied(&cx.principal, action, &arn()));
        }
        if self.scope.region != cx.scope.region {
            let Scope { region, .. } = &self.scope;
            return Err(Error::new(
                "ResourceNotFoundException",
                format!("Layers from '{region}' are not reachable in this region ('{}')", cx.scope.region),
            ));
        }
        Ok(())
    }
}

impl VersionTarget {
    /// Reads `LayerName` and `VersionNumber`.
    pub fn parse(cx: &Context, name_or_arn: &str, version: i64) -> Result<Self, Error> {
        Ok(Self { version: number(version)?, layer: LayerTarget::parse(cx, name_or_arn)? })
    }

    /// Reads a layer version's ARN, whose form the model has checked.
    pub fn parse_arn(arn: &str) -> Result<Self, Error> {
        match arn.split(':').collect::<Vec<_>>()[..] {
            [_, _, _, region, account, "layer", name, version] => Ok(Self {
                layer: LayerTarget { scope: scope(region, account)?, name: name.to_owned() },
                // A number too large for any version names none, which is found out later.
                version: number(version.parse().unwrap_or(i64::MAX))?,
            }),
            // arn:aws:lambda:::awslayer:…
            _ => Err(crate::error::not_supported("layers that AWS itself provides")),
        }
    }

    /// The key in [`LAYER_VERSIONS`].
    pub fn key(&self) -> (Scope, String, u64) {
        (self.layer.scope.clone(), self.layer.name.clone(), self.version)
    }

    /// The version's ARN.
    pub fn arn(&self) -> String {
        version_arn(&self.layer.scope, &self.layer.name, self.version)
    }

    /// Refuses another account's layer, and one of another region.
    pub fn check_own(&self, cx: &Context, action: &str) -> Result<(), Error> {
        self.layer.check_own_as(cx, action, || self.arn())
    }

    /// Whatever is stored under it.
    pub fn find(&self, snapshot: &Snapshot<'_>) -> Result<Option<LayerVersionRecord>, Refusal> {
        Ok(snapshot.get(&LAYER_VERSIONS, self.key())?)
    }

    /// What is stored under it, in the words of the operations on permissions.
    pub fn expect(&self, snapshot: &Snapshot<'_>) -> Result<LayerVersionRecord, Refusal> {
        let missing = || {
            Error::new("ResourceNotFoundException", format!("Layer version {} does not exist.", self.arn()))
        };
        self.find(snapshot)?.ok_or_else(|| missing().into())
    }
}

fn number(version: i64) -> Result<u64, Error> {
    match u64::try_from(version) {
        Ok(number @ 1..) => Ok(number),
        _ => Err(invalid_parameter("Layer Version Cannot be less than 1")),
    }
}

fn scope(region: &str, account: &str) -> Result<Scope, Error> {
    let parsed = Region::parse(region).zip(Account::parse(account));
    let (region, account) = parsed.ok_or_else(|| service("an ARN that its pattern should have refused"))?;
    Ok(Scope { account, region })
}

/// What is not there, in the words of the operations that read.
pub fn no_such_resource() -> Error {
    Error::new("ResourceNotFoundException", "The resource you requested does not exist.")
}

/// No policy lets this caller in; whether the layer exists is not said.
pub fn access_denied(caller: &Principal, action: &str, arn: &str) -> Error {
    let why = format!("because no resource-based policy allows the {action} action");
    crate::error::access_denied(caller, action, arn, &why)
}
