//! The methods of `media.sock`: [`call::CallCommand`]'s, and who may use them.

use call::{CallCommand, CallEvent};
use serde_json::{Map, Value, json};

use crate::Fault;
use crate::fault::clipped;
use crate::server::Access;
use crate::wire::Envelope;

/// Every method of `media.sock` beside the server's own, and who may use it.
pub const METHODS: &[(&str, Access)] = &[
    ("dial", Access::Control),
    ("alert", Access::Control),
    ("answer", Access::Control),
    ("hangup", Access::Control),
    ("play", Access::Control),
    ("stop_play", Access::Control),
    ("collect", Access::Control),
    ("bridge", Access::Control),
    ("unbridge", Access::Control),
    ("hold", Access::Control),
    ("retrieve", Access::Control),
    ("transfer", Access::Control),
    ("record", Access::Control),
    ("stop_record", Access::Control),
    ("set_fallback", Access::Control),
    ("judge", Access::Control),
    ("cancel", Access::Control),
    ("block", Access::Maintain),
    ("unblock", Access::Maintain),
    ("drain", Access::Maintain),
    ("restart", Access::Maintain),
    ("loopback", Access::Maintain),
    ("reload", Access::Maintain),
    ("status", Access::Read),
];

/// The command behind a method and its parameters.
///
/// # Errors
/// The parameters are not this command's; the message says which one and why.
pub fn command(method: &str, params: Map<String, Value>) -> Result<CallCommand, Fault> {
    let names: Vec<String> = params.keys().cloned().collect();
    let command = serde_json::from_value(json!({ "method": method, "params": params }));
    let command: CallCommand = command.map_err(|e| {
        let why = e.to_string();
        if why.starts_with("unknown variant") && !METHODS.iter().any(|(m, _)| *m == method) {
            Fault::unknown_method(method)
        } else {
            Fault::invalid_params(method, why)
        }
    })?;
    // A command writes all its parameters, absent ones as null: what it does not write it did not read.
    let known = request(&command).1;
    match names.into_iter().find(|name| known.get(name).is_none()) {
        Some(name) => {
            let why = format!("there is no parameter `{}`", clipped(&name));
            Err(Fault::invalid_params(method, why).field(clipped(&name)))
        }
        None => Ok(command),
    }
}

/// Method and parameters of a command, as a client sends it.
pub fn request(command: &CallCommand) -> (String, Value) {
    let value = serde_json::to_value(command).unwrap_or(Value::Null);
    let method = value.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
    (method, value.get("params").cloned().unwrap_or(Value::Null))
}

/// The call server's event in an envelope; `None` when it is of a kind this version does not know.
pub fn event(envelope: &Envelope) -> Option<CallEvent> {
    let Envelope { event, data, .. } = envelope;
    serde_json::from_value(json!({ "event": event, "data": data })).ok()
}

#[cfg(test)]
mod tests {
    use call::{CallCommand, Cause, Dial, LegId, Number};

    use super::*;

    #[test]
    fn a_command_survives_its_line() {
        let commands = [
            CallCommand::Hangup { leg: LegId::new(3, 4), cause: Cause::NORMAL_CLEARING },
            CallCommand::Drain { span: 2, timeslot: None },
            CallCommand::Dial(Dial {
                group: "public".into(),
                called: Number::unknown("4711"),
                calling: None,
                name: None,
                call: None,
                diverted: None,
                no_answer_millis: 12_000,
                on_person: None,
                bridge: None,
            }),
        ];
        for wanted in commands {
            let (method, params) = request(&wanted);
            assert!(METHODS.iter().any(|(m, _)| *m == method), "{method} is not listed");
            let Value::Object(params) = params else { panic!("params of {method}: {params}") };
            assert_eq!(command(&method, params), Ok(wanted));
        }
    }

    #[test]
    fn a_wrong_parameter_is_told_from_an_unknown_method() {
        let leg = json!({"leg": 7, "cause": 16}).as_object().cloned().unwrap_or_default();
        assert_eq!(command("hangup", leg).unwrap_err().code, Fault::INVALID_PARAMS);
        let extra = json!({"leg": "l1.1", "cause": 16, "why": 1});
        let extra = extra.as_object().cloned().unwrap_or_default();
        assert_eq!(command("hangup", extra).unwrap_err().data.field.as_deref(), Some("why"));
        assert_eq!(command("dance", Map::new()).unwrap_err().code, Fault::METHOD_NOT_FOUND);
    }
}
