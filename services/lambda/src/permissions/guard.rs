//! What every request is asked before its handler sees it: whether the caller may do this to that.

use policy::Context as Keys;
use wire::schema::Operation;
use wire::{Context, Error, Fields, Value, tags};

use super::conditions::{self, text, texts};
use super::known;
use super::requirements::{About, Key, Requirement, dependent, tagged_as};
use crate::Lambda;
use crate::functions::Target;

/// Authorises an operation by its name and by what its input names, with all that [`Requirement`]s say.
///
/// What names nothing that can be read is let through to the handler, which refuses it.
pub fn guard(
    lambda: &Lambda,
    cx: &Context,
    operation: &'static Operation,
    fields: &Fields,
) -> Result<(), Error> {
    let Some(requirement) = Requirement::of(operation.name) else { return Ok(()) };
    let asking = Asking { lambda, cx, fields };
    asking.check(&requirement)?;
    for action in dependent(operation.name) {
        asking.check(&Requirement { action, keys: &[], ..requirement })?;
    }
    if lambda.asks(cx) {
        asking.check_what_is_used(operation.name, &requirement)?;
    }
    Ok(())
}

/// One request.
struct Asking<'a> {
    lambda: &'a Lambda,
    cx: &'a Context,
    fields: &'a Fields,
}

impl Asking<'_> {
    /// Asks about one action.
    fn check(&self, requirement: &Requirement) -> Result<(), Error> {
        match requirement.about {
            About::Function => self.check_function(requirement, text(self.fields, "FunctionName")),
            About::FunctionAndConfig => {
                self.check_function(requirement, text(self.fields, "FunctionName"))?;
                self.check_named(requirement, text(self.fields, "CodeSigningConfigArn"))
            }
            About::Named => {
                let named = text(self.fields, "Resource").or_else(|| text(self.fields, "ResourceArn"));
                self.check_named(requirement, named)
            }
            // Nothing of these is looked up where nobody asks.
            _ if !self.lambda.asks(self.cx) => Ok(()),
            About::Nothing => self.check_identity(requirement, "*", &Keys::new()),
            About::Layer | About::LayerVersion => {
                self.check_identity(requirement, &self.layer_arn(requirement.about), &Keys::new())
            }
            About::Mapping => match text(self.fields, "UUID") {
                Some(id) => self.check_mapping(requirement, id),
                None => Ok(()),
            },
            About::CodeSigningConfig => {
                self.check_named(requirement, text(self.fields, "CodeSigningConfigArn"))
            }
        }
    }

    /// A function, a version or an alias: it may have a policy of its own.
    fn check_function(&self, requirement: &Requirement, name: Option<&str>) -> Result<(), Error> {
        let qualifier = text(self.fields, "Qualifier");
        let Some(Ok(target)) = name.map(|name| Target::parse_any(self.cx, name, qualifier)) else {
            return Ok(());
        };
        let action = format!("lambda:{}", requirement.action);
        self.lambda.authorise_with(self.cx, &action, &target, || {
            let known = known::of_function(self.lambda, &target, self.fields, requirement.keys)?;
            Ok(conditions::of(requirement.keys, self.fields, &known))
        })
    }

    /// What has tags, by its ARN.
    fn check_named(&self, requirement: &Requirement, arn: Option<&str>) -> Result<(), Error> {
        let Some(arn) = arn else { return Ok(()) };
        let mut parts = arn.split(':').skip(5);
        match (parts.next(), parts.next()) {
            (Some("function"), _) => self.check_function(requirement, Some(arn)),
            _ if !self.lambda.asks(self.cx) => Ok(()),
            (Some("event-source-mapping"), Some(id)) => self.check_mapping(requirement, id),
            _ => {
                let tags = known::tags_of_config(self.lambda, &self.cx.scope, arn)?;
                self.check_identity(requirement, arn, &tags)
            }
        }
    }

    /// A mapping, with the function that it calls; and, if it is to call another one, with that, too.
    fn check_mapping(&self, requirement: &Requirement, id: &str) -> Result<(), Error> {
        let scope = &self.cx.scope;
        let arn = scope.arn("lambda", format_args!("event-source-mapping:{id}"));
        let mapping = known::mapping(self.lambda, scope, id)?;
        let tags = mapping.as_ref().map(|mapping| conditions::resource_tags(&mapping.tags));
        let tags = tags.unwrap_or_default();
        let now = Keys::new().with_some("lambda:FunctionArn", mapping.map(|mapping| mapping.function_arn()));
        self.check_identity(requirement, &arn, &now.and(&tags))?;
        if text(self.fields, "FunctionName").is_none() {
            return Ok(());
        }
        self.check_identity(requirement, &arn, &tags)
    }

    /// What has no policy that counts here: the caller's own decide, told `more` than the request says.
    fn check_identity(&self, requirement: &Requirement, arn: &str, more: &Keys) -> Result<(), Error> {
        let function = text(self.fields, "FunctionName")
            .filter(|_| requirement.has(Key::FunctionArn))
            .and_then(|name| Target::parse_any(self.cx, name, None).ok());
        let known = conditions::Known {
            function_arn: function.map(|function| function.arn()),
            ..conditions::Known::default()
        };
        // What is stored of a mapping says which function it calls now, whatever is sent.
        let keys = conditions::of(requirement.keys, self.fields, &known).and(more);
        self.lambda.authorise_identity(self.cx, &format!("lambda:{}", requirement.action), arn, &keys)
    }

    /// What a request uses besides what it is about: tags, layers, a role.
    fn check_what_is_used(&self, operation: &str, requirement: &Requirement) -> Result<(), Error> {
        if operation.starts_with("Create") && !tags::keys(self.fields).is_empty() {
            let tagging = Requirement {
                action: "TagResource",
                keys: &[Key::RequestTag, Key::TagKeys],
                about: requirement.about,
            };
            match tagged_as(operation) {
                Some(resource) => {
                    let arn = self.cx.scope.arn("lambda", format_args!("{resource}"));
                    self.check_identity(&tagging, &arn, &Keys::new())?;
                }
                None => self.check(&tagging)?,
            }
        }
        for layer in texts(self.fields, "Layers") {
            self.lambda.authorise_identity(self.cx, "lambda:GetLayerVersion", &layer, &Keys::new())?;
        }
        match text(self.fields, "Role") {
            Some(role) => {
                let to_lambda = Keys::new().with("iam:PassedToService", "lambda.amazonaws.com");
                self.lambda.authorise_identity(self.cx, "iam:PassRole", role, &to_lambda)
            }
            None => Ok(()),
        }
    }

    fn layer_arn(&self, about: About) -> String {
        if let Some(arn) = text(self.fields, "Arn") {
            return arn.to_owned();
        }
        let layer = text(self.fields, "LayerName").unwrap_or("*");
        let layer = match layer.contains(':') {
            true => layer.to_owned(),
            false => self.cx.scope.arn("lambda", format_args!("layer:{layer}")),
        };
        match self.fields.get("VersionNumber") {
            Some(Value::Int(version)) if about == About::LayerVersion => format!("{layer}:{version}"),
            _ => layer,
        }
    }
}
