#!/usr/bin/env node
// screenshot.js URL_OR_FILE OUT.png [WIDTH] [light|dark] - the whole page as a picture.
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { launch } = require('./browser');

const [what, out, width = '800', scheme = 'light'] = process.argv.slice(2);
if (!out || !/^[1-9][0-9]{1,3}$/.test(width) || !['light', 'dark'].includes(scheme)) {
  console.error('usage: screenshot.js URL_OR_FILE OUT.png [WIDTH] [light|dark]');
  process.exit(64);
}
const isUrl = /^(https?|file|data):/.test(what);
if (!isUrl && !fs.existsSync(what)) {
  console.error(`screenshot.js: ${what}: no such file`);
  process.exit(66);
}

(async () => {
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport: { width: Number(width), height: 600 }, colorScheme: scheme });
    await page.goto(isUrl ? what : pathToFileURL(path.resolve(what)).href, { timeout: 30000 });
    await page.screenshot({ path: out, fullPage: true });
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(`screenshot.js: ${error.message}`);
  process.exit(1);
});
