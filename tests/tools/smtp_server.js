// smtp_server.js DIR PORT USER PASSWORD SIZE - npm's smtp-server on loopback: STARTTLS with DIR/cert.pem and DIR/key.pem, AUTH, at most
// two connections at once; each mail into DIR/mail/<address>/. unknown*@ 550 5.1.1, tempfail*@ 451.
const fs = require('fs');
const path = require('path');
const { SMTPServer } = require('smtp-server');

const [dir, port, user, password, size] = process.argv.slice(2);
let number = 0;

function refusal(address) {
  if (address.startsWith('unknown')) return Object.assign(new Error('5.1.1 no such user'), { responseCode: 550 });
  if (address.startsWith('tempfail')) return Object.assign(new Error('4.2.0 try again later'), { responseCode: 451 });
  return null;
}

const server = new SMTPServer({
  name: 'relay.test',
  cert: fs.readFileSync(path.join(dir, 'cert.pem')),
  key: fs.readFileSync(path.join(dir, 'key.pem')),
  size: Number(size),
  maxClients: 2,
  authMethods: ['PLAIN', 'LOGIN'],
  onAuth: (auth, session, done) =>
    auth.username === user && auth.password === password ? done(null, { user }) : done(new Error('who are you?')),
  onRcptTo: (to, session, done) => done(refusal(to.address)),
  onData: (stream, session, done) => {
    const parts = [];
    stream.on('data', (part) => parts.push(part));
    stream.on('end', () => {
      if (stream.sizeExceeded) return done(Object.assign(new Error('5.3.4 too big'), { responseCode: 552 }));
      for (const to of session.envelope.rcptTo) {
        const folder = path.join(dir, 'mail', to.address.toLowerCase());
        fs.mkdirSync(folder, { recursive: true });
        const file = path.join(folder, 'tmp.' + process.pid + '.' + ++number);
        fs.writeFileSync(file, Buffer.concat(parts));
        fs.renameSync(file, file.replace('/tmp.', '/mail.'));
      }
      return done();
    });
  },
});
server.on('error', (error) => console.error(String(error)));
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => server.close(() => process.exit(0)));
