// An SMSC on the npm package `smpp`: accepts one account, answers every submit_sm, sends a receipt for each.
// Arguments: form of the receipt (text or tlv), base of the ids in it (10 or 16), port (0 = any).
const smpp = require('smpp');

const [form, base, port] = process.argv.slice(2);
// Each start numbers anew, from another place.
let last = 1000 + (Date.now() % 1000000) * 10;

function receipt(session, pdu, id) {
  const name = id.toString(Number(base));
  const fields = {
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    esm_class: 4,
    short_message: '',
  };
  if (form === 'text') {
    fields.short_message =
      `id:${name} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:`;
  } else {
    fields.receipted_message_id = name;
    fields.message_state = 2;
  }
  session.deliver_sm(fields, (answer) => console.log(`answered ${answer.command_status}`));
}

const server = smpp.createServer({}, (session) => {
  const bind = (pdu) => {
    if (pdu.system_id !== 'esme' || pdu.password !== 's3cr3t') {
      session.send(pdu.response({ command_status: smpp.ESME_RBINDFAIL }));
      session.close();
      return;
    }
    session.send(pdu.response({ system_id: 'npm' }));
    console.log(`bound ${pdu.command}`);
    session.enquire_link({}, () => console.log('alive'));
  };
  session.on('bind_transceiver', bind);
  session.on('bind_transmitter', bind);
  session.on('bind_receiver', bind);
  session.on('submit_sm', (pdu) => {
    last += 1;
    const { udh, message } = pdu.short_message;
    const octets = Buffer.concat([...(udh ? udh : []), Buffer.from(message)]);
    const shown = [pdu.esm_class, pdu.protocol_id, pdu.data_coding, udh ? udh.length : 0, octets.length];
    console.log(`submit ${pdu.destination_addr} ${shown.join(' ')}`);
    session.send(pdu.response({ message_id: last.toString(10) }));
    receipt(session, pdu, last);
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    console.log('unbound');
    session.send(pdu.response());
    session.close();
  });
  session.on('error', () => {});
});
server.listen(Number(port), '127.0.0.1', () => console.log(`listening ${server.address().port}`));
