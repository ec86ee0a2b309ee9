#!/usr/bin/env node
// screenshot.js URL_OR_FILE OUT.png [WIDTH] [light|dark] - the whole page as a picture. Several at once, which is quicker: all four
// arguments of each, one after the other.
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { launch } = require('./browser');

const args = process.argv.slice(2);
if (args.length === 2) args.push('800');
if (args.length === 3) args.push('light');
const wanted = [];
for (let i = 0; i < args.length; i += 4) wanted.push(args.slice(i, i + 4));
if (!wanted.length || !wanted.every(([, out, width, scheme]) => out && /^[1-9][0-9]{1,3}$/.test(width) && ['light', 'dark'].includes(scheme))) {
  console.error('usage: screenshot.js URL_OR_FILE OUT.png [WIDTH] [light|dark]');
  process.exit(64);
}
const isUrl = (what) => /^(https?|file|data):/.test(what);
for (const [what] of wanted)
  if (!isUrl(what) && !fs.existsSync(what)) {
    console.error(`screenshot.js: ${what}: no such file`);
    process.exit(66);
  }

(async () => {
  const browser = await launch();
  try {
    for (const [what, out, width, scheme] of wanted) {
      const page = await browser.newPage({ viewport: { width: Number(width), height: 600 }, colorScheme: scheme });
      await page.goto(isUrl(what) ? what : pathToFileURL(path.resolve(what)).href, { timeout: 30000 });
      await page.screenshot({ path: out, fullPage: true });
      await page.close();
    }
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(`screenshot.js: ${error.message}`);
  process.exit(1);
});
