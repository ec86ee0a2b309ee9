// The packages of tests/package.json (installed at the first use) and Debian's Chromium, for scripts of the tests:
//   const { launch, need } = require('./browser');
//   const browser = await launch();        a Playwright browser that talks to nobody but the pages it is sent to
//   const axe = need('axe-core');
const { execFileSync } = require('child_process');
const { createRequire } = require('module');
const path = require('path');

let modules;
function need(name) {
  if (!modules) {
    try {
      modules = execFileSync(path.join(__dirname, 'npm_deps'), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
    } catch (error) {
      process.exit(error.status || 69);
    }
  }
  return createRequire(path.join(modules, 'x.js'))(name);
}

const arguments_ = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

function launch() {
  return need('playwright-core').chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true, args: arguments_,
  });
}

module.exports = { launch, need };
