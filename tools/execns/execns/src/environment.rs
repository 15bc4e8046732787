// SPDX-License-Identifier: GPL-2.0

//! The environment of a program, as what is changed in that of the caller.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};

#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    cleared: bool,
    /// None if the variable is removed.
    changes: BTreeMap<OsString, Option<OsString>>,
}

impl Environment {
    pub fn set(&mut self, name: &OsStr, value: &OsStr) {
        self.changes.insert(name.into(), Some(value.into()));
    }

    pub fn remove(&mut self, name: &OsStr) {
        self.changes.insert(name.into(), None);
    }

    pub fn clear(&mut self) {
        self.cleared = true;
        self.changes.clear();
    }

    /// The variables, as `NAME=VALUE`.
    pub fn variables(&self) -> impl Iterator<Item = OsString> {
        let inherited = (!self.cleared)
            .then(env::vars_os)
            .into_iter()
            .flatten()
            .filter(|(name, _)| !self.changes.contains_key(name));
        let set = self
            .changes
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)));

        inherited.chain(set).map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(environment: &Environment) -> Vec<OsString> {
        let mut variables: Vec<_> = environment.variables().collect();

        variables.sort();
        variables
    }

    #[test]
    fn the_default_is_that_of_the_caller() {
        let mut mine: Vec<_> = env::vars_os()
            .map(|(name, value)| [name.as_os_str(), &value].join(OsStr::new("=")))
            .collect();

        mine.sort();
        assert!(!mine.is_empty());
        assert_eq!(sorted(&Environment::default()), mine);
    }

    #[test]
    fn changes_count_from_the_last_clear() {
        let mut environment = Environment::default();

        environment.set("A".as_ref(), "1".as_ref());
        environment.clear();
        assert!(sorted(&environment).is_empty());
        environment.set("B".as_ref(), "1".as_ref());
        environment.set("B".as_ref(), "2=3".as_ref());
        environment.set("C".as_ref(), "".as_ref());
        environment.remove("C".as_ref());
        assert_eq!(sorted(&environment), ["B=2=3"]);
    }

    #[test]
    fn inherited_variables_are_replaced_and_removed() {
        let mut environment = Environment::default();
        let before = sorted(&environment).len();

        environment.remove("PATH".as_ref());
        assert_eq!(sorted(&environment).len(), before - 1);
        environment.set("PATH".as_ref(), "/x".as_ref());
        assert_eq!(sorted(&environment).len(), before);
        assert!(sorted(&environment).contains(&"PATH=/x".into()));
    }
}
