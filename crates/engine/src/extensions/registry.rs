//! Who the extensions of an environment are: names, identifiers, and the numbers that the state knows them by.

use domain::limits::EXTENSIONS_MAX;
use uuid::Uuid;

use super::{Refused, Registration};
use crate::environment::{ExtensionNumber, ExtensionSet};

/// The extensions of one environment since it was started.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    name: String,
    external: bool,
    identifier: Option<Uuid>,
    events: Vec<&'static str>,
    /// Its state and why it failed, as the EXTENSION line names them.
    failure: Option<(&'static str, String)>,
}

impl Registry {
    /// With the extensions that layers hold, before any of them has registered. Those that are too many fail.
    pub(crate) fn of(names: &[String]) -> Self {
        let known = names.iter().map(|name| Known {
            name: name.clone(),
            external: true,
            identifier: None,
            events: Vec::new(),
            failure: None,
        });
        Self { known: known.collect() }
    }

    /// Those with a process of their own.
    pub(crate) fn external(&self) -> ExtensionSet {
        ExtensionSet::first(self.known.iter().filter(|known| known.external).count())
    }

    /// Starts over: nobody has registered.
    pub(crate) fn restart(&mut self) {
        self.known.retain(|known| known.external);
        for known in &mut self.known {
            (known.identifier, known.failure) = (None, None);
            known.events.clear();
        }
    }

    /// Whose call it is.
    pub(crate) fn find(&self, identifier: Uuid) -> Result<ExtensionNumber, Refused> {
        let at = self.known.iter().position(|known| known.identifier == Some(identifier));
        at.map(number).ok_or_else(|| Refused::unknown_identifier(identifier))
    }

    /// The number under which it would be known, or why it cannot be.
    pub(crate) fn place(&self, registration: &Registration) -> Result<ExtensionNumber, Refused> {
        let at = self.known.iter().position(|known| known.name == registration.name);
        if registration.shutdown && !at.is_some_and(|at| self.known[at].external) {
            return Err(Refused::shutdown_of_internal());
        }
        match at {
            Some(at) if at < EXTENSIONS_MAX => Ok(number(at)),
            None if self.known.len() < EXTENSIONS_MAX => Ok(number(self.known.len())),
            _ => Err(Refused::too_many()),
        }
    }

    /// It has registered: its identifier from now on.
    pub(crate) fn register(&mut self, at: ExtensionNumber, registration: &Registration) -> Uuid {
        let at = usize::from(at);
        if at == self.known.len() {
            self.known.push(Known {
                name: registration.name.clone(),
                external: false,
                identifier: None,
                events: Vec::new(),
                failure: None,
            });
        }
        let identifier = Uuid::new_v4();
        if let Some(known) = self.known.get_mut(at) {
            known.identifier = Some(identifier);
            known.events.extend(registration.invoke.then_some("INVOKE"));
            known.events.extend(registration.shutdown.then_some("SHUTDOWN"));
        }
        identifier
    }

    pub(crate) fn name(&self, at: ExtensionNumber) -> &str {
        self.known.get(usize::from(at)).map(|known| known.name.as_str()).unwrap_or_default()
    }

    pub(crate) fn events(&self, at: ExtensionNumber) -> &[&'static str] {
        self.known.get(usize::from(at)).map(|known| known.events.as_slice()).unwrap_or_default()
    }

    /// How it stands and why it failed, for its EXTENSION line.
    pub(crate) fn fail(&mut self, at: ExtensionNumber, state: &'static str, error_type: &str) {
        if let Some(known) = self.known.get_mut(usize::from(at)) {
            known.failure.get_or_insert_with(|| (state, error_type.to_owned()));
        }
    }

    pub(crate) fn failure(&self, at: ExtensionNumber) -> Option<&(&'static str, String)> {
        self.known.get(usize::from(at)).and_then(|known| known.failure.as_ref())
    }

    /// Each of them.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = ExtensionNumber> {
        (0..self.known.len()).map(number)
    }

    /// The names of those with a process of their own.
    pub(crate) fn external_names(&self) -> Vec<String> {
        self.known.iter().filter(|known| known.external).map(|known| known.name.clone()).collect()
    }
}

fn number(at: usize) -> ExtensionNumber {
    ExtensionNumber::try_from(at).unwrap_or(ExtensionNumber::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(name: &str, shutdown: bool) -> Registration {
        Registration { name: name.to_owned(), invoke: true, shutdown, account_id: false }
    }

    #[test]
    fn an_extension_is_external_by_the_name_of_its_file() {
        let mut registry = Registry::of(&["agent".to_owned()]);
        assert_eq!(registry.place(&registration("agent", true)), Ok(0));
        assert_eq!(registry.place(&registration("inner", false)), Ok(1));
        let refused = registry.place(&registration("inner", true)).unwrap_err();
        assert_eq!(refused.error_type, "Extension.InvalidEventType");
        let identifier = registry.register(1, &registration("inner", false));
        assert_eq!(registry.find(identifier), Ok(1));
        registry.restart();
        assert_eq!(registry.find(identifier).unwrap_err().error_type, "Extension.UnknownExtensionIdentifier");
        assert_eq!(registry.external_names(), ["agent"]);
    }

    #[test]
    fn there_are_ten_at_most() {
        let mut registry = Registry::default();
        for count in 0..10 {
            let registration = registration(&format!("e{count}"), false);
            let at = registry.place(&registration).unwrap();
            registry.register(at, &registration);
        }
        let refused = registry.place(&registration("one too many", false)).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.error_type), (403, "Extension.TooManyExtensions"));
        assert_eq!(refused.message, "Extension limit (10) reached");
    }
}
