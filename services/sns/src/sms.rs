//! Text messages. None leaves the machine: see [`crate::outbox`].

use std::collections::BTreeMap;

use domain::Scope;
use store::{Domain, Table};
use wire::{Context, Error};

use crate::error::{Refusal, invalid};
use crate::subscriptions::is_phone_number;
use crate::{Sns, shapes};

/// An account's settings for text messages.
static SETTINGS: Table<(Scope,), BTreeMap<String, String>> = Table::of(Domain::Events, "sns.sms_attributes");

/// <https://docs.aws.amazon.com/sns/latest/api/API_SetSMSAttributes.html>
const NAMES: [&str; 6] = [
    "MonthlySpendLimit",
    "DeliveryStatusIAMRole",
    "DeliveryStatusSuccessSamplingRate",
    "DefaultSenderID",
    "DefaultSMSType",
    "UsageReportS3Bucket",
];

/// `GetSMSAttributes`
pub(crate) async fn get_attributes(
    sns: Sns,
    cx: Context,
    input: shapes::GetSMSAttributesInput,
) -> Result<shapes::GetSMSAttributesResponse, Error> {
    let all = sns.read(|snapshot| Ok(snapshot.get(&SETTINGS, (&cx.scope,))?.unwrap_or_default()))?;
    let wanted = input.attributes.unwrap_or_default();
    let shown = all.into_iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    Ok(shapes::GetSMSAttributesResponse { attributes: Some(shown.collect()) })
}

/// `SetSMSAttributes`
pub(crate) async fn set_attributes(
    sns: Sns,
    cx: Context,
    input: shapes::SetSMSAttributesInput,
) -> Result<shapes::SetSMSAttributesResponse, Error> {
    for (name, value) in &input.attributes {
        if !NAMES.contains(&name.as_str()) {
            return Err(invalid(format_args!("{name} is not a valid attribute")));
        }
        if name == "DefaultSMSType" && !["Promotional", "Transactional"].contains(&value.as_str()) {
            return Err(invalid("DefaultSMSType is invalid"));
        }
        if !value.is_empty() && (name.starts_with("DeliveryStatus") || name == "UsageReportS3Bucket") {
            return Err(crate::error::not_supported(&format!("reports about text messages ({name})")));
        }
    }
    sns.write(move |tx| {
        let mut all = tx.get(&SETTINGS, (&cx.scope,))?.unwrap_or_default();
        all.extend(input.attributes);
        tx.put(&SETTINGS, (&cx.scope,), &all)?;
        Ok::<_, Refusal>(())
    })
    .await?;
    Ok(shapes::SetSMSAttributesResponse::default())
}

/// `CheckIfPhoneNumberIsOptedOut`: nobody can opt out of messages that are only kept here.
pub(crate) async fn is_opted_out(
    _: Sns,
    _: Context,
    input: shapes::CheckIfPhoneNumberIsOptedOutInput,
) -> Result<shapes::CheckIfPhoneNumberIsOptedOutResponse, Error> {
    check_number(&input.phone_number)?;
    Ok(shapes::CheckIfPhoneNumberIsOptedOutResponse { is_opted_out: Some(false) })
}

/// `ListPhoneNumbersOptedOut`
pub(crate) async fn list_opted_out(
    _: Sns,
    _: Context,
    _: shapes::ListPhoneNumbersOptedOutInput,
) -> Result<shapes::ListPhoneNumbersOptedOutResponse, Error> {
    Ok(shapes::ListPhoneNumbersOptedOutResponse { phone_numbers: Some(Vec::new()), next_token: None })
}

/// `OptInPhoneNumber`
pub(crate) async fn opt_in(
    _: Sns,
    _: Context,
    input: shapes::OptInPhoneNumberInput,
) -> Result<shapes::OptInPhoneNumberResponse, Error> {
    check_number(&input.phone_number)?;
    Ok(shapes::OptInPhoneNumberResponse::default())
}

fn check_number(number: &str) -> Result<(), Error> {
    if is_phone_number(number) {
        return Ok(());
    }
    Err(invalid(format_args!("PhoneNumber Reason: input incorrectly formatted - {number}")))
}
