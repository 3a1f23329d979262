"""An ESME on the PyPI package `smpplib`: sends a binary message in UDH form and waits for its receipt.

Arguments: port, password, number to send to.
"""

import sys

import smpplib.client
import smpplib.consts
import smpplib.exceptions

port, password, destination = sys.argv[1:]
client = smpplib.client.Client("127.0.0.1", int(port), timeout=20, allow_unknown_opt_params=True)
client.set_message_sent_handler(lambda pdu: print("sent", pdu.message_id.decode(), flush=True))


def received(pdu):
    print("received", pdu.receipted_message_id.decode(), pdu.message_state, flush=True)
    client.unbind()
    client.disconnect()
    sys.exit(0)


client.set_message_received_handler(received)
client.connect()
try:
    client.bind_transceiver(system_id="esme", password=password)
except smpplib.exceptions.PDUError as error:
    print("refused", error.args[1], flush=True)
    sys.exit(0)
client.send_message(
    source_addr_ton=smpplib.consts.SMPP_TON_NWSPEC,
    source_addr="16420",
    dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
    dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
    destination_addr=destination,
    short_message=bytes([2, 0x70, 0]) + b"\xaa" * 137,
    data_coding=0xF6,
    protocol_id=0x7F,
    esm_class=smpplib.consts.SMPP_GSMFEAT_UDHI,
    registered_delivery=True,
)
client.listen()
