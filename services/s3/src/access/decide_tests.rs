use policy::Kind;

use super::*;

const OWNER: &str = "111111111111";
const OTHER: &str = "222222222222";
const OBJECT: &str = "arn:aws:s3:::b/k";

fn root(account: &str) -> Caller {
    Caller::Root { account: account.to_owned() }
}

fn user(account: &str) -> Caller {
    let arns = vec![format!("arn:aws:iam::{account}:user/sam")];
    Caller::Identity { account: account.to_owned(), arns }
}

fn identity(effect: &str) -> Vec<Document> {
    let text = format!(r#"{{"Statement":{{"Effect":"{effect}","Action":"s3:*","Resource":"*"}}}}"#);
    vec![Document::parse(&text, Kind::Identity).unwrap()]
}

fn resource(effect: &str, principal: &str) -> Document {
    let text = format!(
        r#"{{"Statement":{{"Effect":"{effect}","Principal":{principal},"Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}}}}"#
    );
    Document::parse(&text, Kind::Resource).unwrap()
}

fn sides<'a>(identity: Option<&'a [Document]>, policy: Option<&'a Document>) -> Sides<'a> {
    Sides {
        identity,
        policy,
        policy_is_public: false,
        bucket_owner: OWNER,
        owner: OWNER,
        acl: None,
        blocked: Blocked::default(),
    }
}

fn verdict(caller: &Caller, action: &str, sides: &Sides<'_>) -> Verdict {
    decide(&Asked { caller, action, resource: OBJECT, keys: &Context::new() }, sides)
}

#[test]
fn the_owner_may_unless_denied_and_always_mends_its_policy() {
    assert_eq!(verdict(&root(OWNER), "s3:GetObject", &sides(None, None)), Verdict::Allowed);
    assert_eq!(verdict(&root(OTHER), "s3:GetObject", &sides(None, None)), Verdict::NotAllowed);
    let denied = resource("Deny", r#""*""#);
    let denied = sides(None, Some(&denied));
    assert_eq!(verdict(&root(OWNER), "s3:GetObject", &denied), Verdict::DeniedByResource);
    assert_eq!(verdict(&root(OWNER), "s3:DeleteBucketPolicy", &denied), Verdict::Allowed);
    assert_eq!(verdict(&user(OWNER), "s3:DeleteBucketPolicy", &denied), Verdict::DeniedByResource);
}

#[test]
fn in_one_account_either_side_suffices_and_across_accounts_both_are_needed() {
    let (allowed, denied, open) = (
        identity("Allow"),
        identity("Deny"),
        resource("Allow", &format!(r#"{{"AWS":["{OWNER}","{OTHER}"]}}"#)),
    );
    let check = |caller: Caller, identity: &[Document], policy: Option<&Document>, expected| {
        assert_eq!(verdict(&caller, "s3:GetObject", &sides(Some(identity), policy)), expected, "{caller:?}");
    };
    check(user(OWNER), &[], None, Verdict::NotAllowed);
    check(user(OWNER), &allowed, None, Verdict::Allowed);
    check(user(OWNER), &denied, Some(&open), Verdict::DeniedByIdentity);
    // A statement for the account leaves it to the account.
    check(user(OWNER), &[], Some(&open), Verdict::NotAllowed);
    check(user(OTHER), &allowed, None, Verdict::NotAllowed);
    check(user(OTHER), &[], Some(&open), Verdict::NotAllowed);
    check(user(OTHER), &allowed, Some(&open), Verdict::Allowed);
    check(Caller::Anonymous, &[], Some(&open), Verdict::NotAllowed);
}

#[test]
fn the_public_comes_in_by_a_policy_unless_it_is_blocked() {
    let open = resource("Allow", r#""*""#);
    let mut sides = sides(Some(&[]), Some(&open));
    sides.policy_is_public = true;
    assert_eq!(verdict(&Caller::Anonymous, "s3:GetObject", &sides), Verdict::Allowed);
    sides.blocked.policy = true;
    assert_eq!(verdict(&Caller::Anonymous, "s3:GetObject", &sides), Verdict::NotAllowed);
    assert_eq!(verdict(&root(OTHER), "s3:GetObject", &sides), Verdict::NotAllowed);
    assert_eq!(verdict(&user(OWNER), "s3:GetObject", &sides), Verdict::Allowed);
}

#[test]
fn lists_let_in_whom_they_name() {
    let owner = Account::parse(OWNER).unwrap();
    let mut acl = Acl::private(&owner);
    let id = |account: &str| buckets::canonical_id(&Account::parse(account).unwrap());
    let check = |acl: &Acl, caller: Caller, action: &str, ignored: bool, expected: bool| {
        let mut sides = sides(None, None);
        (sides.acl, sides.blocked.acls) = (Some(acl), ignored);
        assert_eq!(verdict(&caller, action, &sides) == Verdict::Allowed, expected, "{caller:?} {action}");
    };
    check(&acl, root(OTHER), "s3:GetObject", false, false);
    acl.grants.push((Who::Account(id(OTHER)), What::Read));
    check(&acl, root(OTHER), "s3:GetObject", false, true);
    check(&acl, root(OTHER), "s3:GetObjectAcl", false, false);
    check(&acl, Caller::Anonymous, "s3:GetObject", false, false);
    acl.grants.push((Who::Group(AUTHENTICATED_USERS.into()), What::ReadAcp));
    check(&acl, root("333333333333"), "s3:GetObjectAcl", false, true);
    check(&acl, Caller::Anonymous, "s3:GetObjectAcl", false, false);
    acl.grants.push((Who::Group(ALL_USERS.into()), What::Write));
    check(&acl, Caller::Anonymous, "s3:PutObject", false, true);
    check(&acl, Caller::Anonymous, "s3:PutObject", true, false);
    check(&acl, Caller::Anonymous, "s3:GetObject", false, false);
}

#[test]
fn what_others_wrote_is_theirs_where_objects_are_their_writers() {
    let open = resource("Allow", r#""*""#);
    let mut sides = sides(None, Some(&open));
    sides.owner = OTHER;
    assert_eq!(verdict(&Caller::Anonymous, "s3:GetObject", &sides), Verdict::NotAllowed);
    assert_eq!(verdict(&root(OTHER), "s3:GetObject", &sides), Verdict::Allowed);
    assert_eq!(verdict(&root(OWNER), "s3:GetObject", &sides), Verdict::NotAllowed);
}
