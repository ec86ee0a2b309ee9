// life.js JOBS - what subscribers do, in one browser without script: JOBS is JSON {url, screens, lives: [{language, width, scheme,
// address}]}. On standard output it asks, on standard input a line answers: "mail KIND ADDRESS", a link out of a mail to there;
// "confirmed ADDRESS", that the daemon knows it. Each page is looked at as it is shown; the first life of a language has
// everything judged, the others what depends on the size and the colours.
const readline = require('readline');
const fs = require('fs');
const path = require('path');
const { launch, need } = require('../../tools/browser');

const { url, screens, lives } = JSON.parse(process.argv[2]);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (what) => { console.log(what); return (await lines.next()).value; };

async function live(browser, job, whole) {
  const settings = { locale: job.language, colorScheme: job.scheme, viewport: { width: job.width, height: 800 } };
  const context = await browser.newContext({ ...settings, javaScriptEnabled: false });
  const judges = await browser.newContext({ ...settings, bypassCSP: true }); // axe is a script
  const page = await context.newPage();
  const judge = await judges.newPage();
  const rules = whole ? {} : { runOnly: { type: 'rule', values: ['color-contrast', 'target-size', 'scrollable-region-focusable'] } };
  let sent; // the page as it came
  let number = 0;
  page.on('response', (response) => { if (response.request().resourceType() === 'document') sent = response.text(); });
  await judge.addInitScript({ content: need('axe-core').source });
  await judge.route('**/judged', async (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: await sent }));

  async function look(name) {
    const base = path.join(screens, `life-${job.language}-${job.width}-${String(++number).padStart(2, '0')}-${name}`);
    const where = `${name} (${job.language}, ${job.width}, ${job.scheme})`;
    await page.screenshot({ path: base + '.png', fullPage: true });
    if (whole) fs.writeFileSync(base + '.html', await sent);
    if (await page.getAttribute('html', 'lang') !== job.language) throw new Error(`${where}: not in the language`);
    await judge.goto(new URL('judged', page.url()).href);
    if (await judge.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth))
      throw new Error(`${where}: must be scrolled sideways`);
    const result = await judge.evaluate((options) => window.axe.run(document, options), rules);
    for (const v of result.violations) throw new Error(`${where}: ${v.id}: ${v.help}: ${v.nodes[0].html}`);
    if (result.passes.length === 0) throw new Error(`${where}: nothing was judged`);
  }
  async function print(name) {
    await page.emulateMedia({ media: 'print' });
    await page.screenshot({ path: path.join(screens, `life-${job.language}-${job.width}-print-${name}.png`), fullPage: true });
    await page.emulateMedia({ media: 'screen' });
  }
  const submit = () => page.locator('form button').first().click();

  await page.goto(url + '/s/workshops');
  await look('form');
  if (whole) await print('form');
  await page.fill('#address', 'nobody');
  await submit();
  await look('form-again');
  await page.fill('#address', job.address);
  await page.fill('#given-name', 'Zoé');
  await page.selectOption('#language', job.language);
  await page.check('#agree');
  await submit();
  await look('signed-up');
  await page.goto(await ask(`mail c ${job.address}`));
  await look('confirm');
  await submit();
  await look('confirmed');
  await ask(`confirmed ${job.address}`);
  await page.goto(url + '/l');
  await look('link');
  await page.fill('#address', job.address);
  await submit();
  await look('linked');
  const choose = await ask(`mail p ${job.address}`);
  await page.goto(choose);
  await look('preferences');
  if (whole) await print('preferences');
  await page.locator('input[type=checkbox]').last().check();
  await submit();
  await look('saved');
  await page.goto(choose.replace('/p/', '/u/'));
  await look('leave');
  await submit();
  await look('left');
  await page.locator('form button').first().click(); // undo
  await look('undone');
  await page.goto(url + '/nowhere');
  await look('not-found');
  await context.close();
  await judges.close();
}

(async () => {
  const browser = await launch();
  const known = new Set();
  for (const job of lives) {
    await live(browser, job, !known.has(job.language));
    known.add(job.language);
  }
  await browser.close();
  console.log('done');
  process.exit(0);
})().catch((error) => { console.error(error.message); process.exit(1); });
