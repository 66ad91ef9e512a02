//! The table: which SDK each interpreter gets.

use std::path::{Path, PathBuf};

use domain::Family;

use crate::interpreter::Interpreter;

/// One directory with an SDK in it, shared by all interpreters that can use it.
#[derive(Debug, PartialEq, Eq)]
pub struct Tree {
    /// What a person calls it.
    pub what: &'static str,
    /// Its directory beneath `<cache>/sdk`.
    pub name: &'static str,
    /// The package whose version is the tree's.
    pub package: &'static str,
    /// What is installed.
    pub packages: &'static [&'static str],
    /// For npm: only versions below this one.
    pub version_below: Option<&'static str>,
    /// What installs it.
    pub tool: &'static str,
    /// How to get the tool.
    pub advice: &'static str,
    /// For pip: the Python version that packages are chosen for, the lowest that shares the tree.
    pub python_version: &'static str,
}

const BOTO3_TREE: Tree = Tree {
    what: "boto3",
    name: "boto3",
    package: "boto3",
    packages: &["boto3"],
    version_below: None,
    tool: "pip",
    advice: "install it, for example with `apt install python3-pip`",
    python_version: "3.10",
};

/// boto3 for Python 3.10 and later.
static BOTO3: Tree = BOTO3_TREE;

/// The last boto3 that runs on Python 3.9.
static BOTO3_39: Tree = Tree { name: "boto3-python3.9", python_version: "3.9", ..BOTO3_TREE };

const JAVASCRIPT_TREE: Tree = Tree {
    what: "the AWS SDK for JavaScript",
    name: "aws-sdk-js",
    package: "@aws-sdk/client-s3",
    packages: &[
        "@aws-sdk/client-api-gateway",
        "@aws-sdk/client-apigatewaymanagementapi",
        "@aws-sdk/client-cloudwatch",
        "@aws-sdk/client-cloudwatch-logs",
        "@aws-sdk/client-dynamodb",
        "@aws-sdk/client-eventbridge",
        "@aws-sdk/client-iam",
        "@aws-sdk/client-kinesis",
        "@aws-sdk/client-kms",
        "@aws-sdk/client-lambda",
        "@aws-sdk/client-s3",
        "@aws-sdk/client-scheduler",
        "@aws-sdk/client-secrets-manager",
        "@aws-sdk/client-sfn",
        "@aws-sdk/client-sns",
        "@aws-sdk/client-sqs",
        "@aws-sdk/client-ssm",
        "@aws-sdk/client-sts",
        "@aws-sdk/credential-providers",
        "@aws-sdk/lib-dynamodb",
        "@aws-sdk/lib-storage",
        "@aws-sdk/s3-request-presigner",
        "@aws-sdk/util-dynamodb",
    ],
    version_below: None,
    tool: "npm",
    advice: "install it, for example with `apt install npm`",
    python_version: "",
};

/// The AWS SDK for JavaScript v3, for Node.js 20 and later.
static JAVASCRIPT: Tree = JAVASCRIPT_TREE;

/// The same for Node.js 18: 3.968 asks for 20.
static JAVASCRIPT_18: Tree =
    Tree { name: "aws-sdk-js-node18", version_below: Some("3.968.0"), ..JAVASCRIPT_TREE };

impl Tree {
    /// The SDK for `interpreter`.
    pub fn of(interpreter: &Interpreter) -> Option<&'static Self> {
        match (interpreter.family, interpreter.version.major, interpreter.version.minor) {
            (Family::Python, 3, ..10) => Some(&BOTO3_39),
            (Family::Python, ..) => Some(&BOTO3),
            (Family::Node, ..20, _) => Some(&JAVASCRIPT_18),
            (Family::Node, ..) => Some(&JAVASCRIPT),
            (Family::Java | Family::Ruby | Family::DotNet | Family::Provided, ..) => None,
        }
    }

    /// Where it is, or is to be.
    pub fn path(&self, cache_dir: &Path) -> PathBuf {
        cache_dir.join("sdk").join(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::Version;

    #[test]
    fn interpreters_that_can_share_an_sdk_do() {
        check(Family::Python, (3, 9, 18), "boto3-python3.9");
        check(Family::Python, (3, 10, 0), "boto3");
        check(Family::Python, (3, 14, 1), "boto3");
        check(Family::Node, (18, 20, 0), "aws-sdk-js-node18");
        check(Family::Node, (20, 0, 0), "aws-sdk-js");
        check(Family::Node, (24, 1, 0), "aws-sdk-js");
    }

    fn check(family: Family, version: (u32, u32, u32), tree: &str) {
        let interpreter = Interpreter::named(family, Version::from(version));
        assert_eq!(Tree::of(&interpreter).unwrap().name, tree, "{version:?}");
    }
}
