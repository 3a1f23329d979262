//! Recipes of what goes to a card: APDUs and remote scripts.

use crate::cli::encode::fields::{Hex, HexArray};
use crate::codec::EncodeError;
use crate::codec::apdu::{CommandApdu, CommandObject, CompactCommand, ExpandedCommand, ScriptChaining, ScriptForm};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apdu {
    cla: HexArray<1>,
    ins: HexArray<1>,
    p1: Option<HexArray<1>>,
    p2: Option<HexArray<1>>,
    data: Option<Hex>,
    le: Option<HexArray<1>>,
}

impl Apdu {
    pub fn encode(self) -> Result<Vec<u8>, EncodeError> {
        let [[cla], [ins]] = [self.cla.0, self.ins.0];
        let or_zero = |octet: Option<HexArray<1>>| octet.map_or(0, |HexArray([octet])| octet);
        let apdu = CommandApdu::new(cla, ins, or_zero(self.p1), or_zero(self.p2));
        let le = self.le.map(|HexArray([octet])| octet);
        CommandApdu { le, ..apdu.with_data(self.data.unwrap_or_default().0) }.encode()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Definite,
    Indefinite,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Chaining {
    FirstDeleteOnReset,
    FirstKeepOnReset,
    Subsequent,
    Last,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    form: Form,
    apdus: Vec<Hex>,
    chaining: Option<Chaining>,
}

impl Script {
    pub fn encode(self) -> Result<Vec<u8>, EncodeError> {
        let form = match self.form {
            Form::Definite => ScriptForm::Definite,
            Form::Indefinite => ScriptForm::Indefinite,
        };
        let mut script = ExpandedCommand::of_apdus(form, self.apdus.into_iter().map(|Hex(apdu)| apdu));
        if let Some(chaining) = self.chaining {
            let chaining = match chaining {
                Chaining::FirstDeleteOnReset => ScriptChaining::FirstDeleteOnReset,
                Chaining::FirstKeepOnReset => ScriptChaining::FirstKeepOnReset,
                Chaining::Subsequent => ScriptChaining::Subsequent,
                Chaining::Last => ScriptChaining::Last,
            };
            script.objects.insert(0, CommandObject::Chaining(chaining));
        }
        script.encode()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactScript {
    apdus: Vec<Hex>,
}

impl CompactScript {
    pub fn encode(self) -> Result<Vec<u8>, String> {
        let commands = self.apdus.iter().map(|Hex(apdu)| CommandApdu::decode(apdu)).collect::<Result<_, _>>();
        let commands = commands.map_err(|error| error.to_string())?;
        CompactCommand { commands }.encode().map_err(|error| error.to_string())
    }
}
