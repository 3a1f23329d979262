//! What a terminal does with the answer to ENVELOPE (SMS-PP DOWNLOAD): TS 31.111 7.1.1.1.

use super::{CommandApdu, FollowUp, ResponseApdu, StatusWord};

/// TP-Failure-Cause for the RP-ERROR (TS 23.040 9.2.3.22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TpFcs {
    /// D4: (U)SIM application toolkit busy.
    ToolkitBusy,
    /// D5: (U)SIM data download error.
    DataDownloadError,
}

impl TpFcs {
    pub const fn code(self) -> u8 {
        match self {
            Self::ToolkitBusy => 0xD4,
            Self::DataDownloadError => 0xD5,
        }
    }
}

/// The next step. `user_data` (never empty) goes into the DELIVER-REPORT with the PID and DCS of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvelopeAnswer {
    /// RP-ACK, then FETCH this many octets where there are any.
    Acknowledge { user_data: Option<Vec<u8>>, fetch: Option<u8> },
    /// Send this, then judge its answer. With a cause: whatever it brings goes into an RP-ERROR (2G, 9Exx).
    GetResponse { command: CommandApdu, error: Option<TpFcs> },
    /// Send the ENVELOPE again with this Le.
    RepeatWithLe(u8),
    /// 9300: try again later, or RP-ERROR with D4.
    Busy,
    /// RP-ERROR with D5.
    Error { user_data: Option<Vec<u8>> },
}

impl EnvelopeAnswer {
    /// `channel` is that of the ENVELOPE (0 but for exotic terminals).
    pub fn judge(answer: &ResponseApdu, channel: u8) -> Self {
        let user_data = || Some(answer.data.clone()).filter(|data| !data.is_empty());
        match answer.sw {
            StatusWord::BUSY => return Self::Busy,
            sw if sw.is_ok() => return Self::Acknowledge { user_data: user_data(), fetch: sw.proactive() },
            _ => {}
        }
        if answer.sw.sw1() == 0x9E {
            let command = CommandApdu::new(0xA0, 0xC0, 0x00, 0x00).with_le(answer.sw.sw2());
            return Self::GetResponse { command, error: Some(TpFcs::DataDownloadError) };
        }
        match answer.sw.follow_up(channel) {
            Some(FollowUp::GetResponse(command)) => Self::GetResponse { command, error: None },
            Some(FollowUp::RepeatWithLe(le)) => Self::RepeatWithLe(le),
            None => Self::Error { user_data: user_data() },
        }
    }

    /// The TP-FCS when the answer ends in an RP-ERROR.
    pub const fn failure_cause(&self) -> Option<TpFcs> {
        match self {
            Self::Busy => Some(TpFcs::ToolkitBusy),
            Self::Error { .. } => Some(TpFcs::DataDownloadError),
            Self::GetResponse { error, .. } => *error,
            Self::Acknowledge { .. } | Self::RepeatWithLe(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_word_has_a_step_and_only_success_acknowledges() {
        for sw in 0..=0xFFFF {
            let answer = EnvelopeAnswer::judge(&StatusWord(sw).into(), 0);
            let acknowledged = matches!(answer, EnvelopeAnswer::Acknowledge { .. });
            assert_eq!(acknowledged, sw == 0x9000 || sw >> 8 == 0x91, "{sw:04X}");
        }
    }

    #[test]
    fn response_data_comes_along_with_success_and_with_a_warning() {
        let por = vec![0x02, 0x71, 0x00];
        let answer = |sw| EnvelopeAnswer::judge(&ResponseApdu { data: por.clone(), sw: StatusWord(sw) }, 0);
        assert_eq!(answer(0x910B), EnvelopeAnswer::Acknowledge { user_data: Some(por.clone()), fetch: Some(11) });
        assert_eq!(answer(0x6300), EnvelopeAnswer::Error { user_data: Some(por.clone()) });
        assert_eq!(answer(0x6300).failure_cause().map(TpFcs::code), Some(0xD5));
    }
}
