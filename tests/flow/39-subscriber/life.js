// life.js JOB - what a subscriber does, in a browser without script: JOB is JSON {language, width, url, address, screens, mails}.
// Mails are files that appear in a folder; their links are read from them by the caller, on standard input and output:
// "mail KIND" asks for a link, a line answers.
const readline = require('readline');
const fs = require('fs');
const path = require('path');
const { launch, need } = require('../../tools/browser');

const job = JSON.parse(process.argv[2]);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (what) => { console.log(what); return (await lines.next()).value; };

(async () => {
  const browser = await launch();
  const settings = { locale: job.language, viewport: { width: job.width, height: 800 } };
  const context = await browser.newContext({ ...settings, javaScriptEnabled: false });
  const judge = await browser.newContext({ ...settings, bypassCSP: true }); // axe is a script
  const page = await context.newPage();
  let sent; // the page as it came
  page.on('response', (response) => { if (response.request().resourceType() === 'document') sent = response.text(); });
  let number = 0;
  async function look(name) {
    const base = path.join(job.screens, `life-${job.language}-${job.width}-${++number}-${name}`);
    await page.screenshot({ path: base + '.png', fullPage: true });
    const html = await sent;
    fs.writeFileSync(base + '.html', html);
    if (await page.getAttribute('html', 'lang') !== job.language) throw new Error(`${name}: not in ${job.language}`);
    const wide = await page.locator('html').evaluate((e) => e.scrollWidth - e.clientWidth).catch(() => 0);
    if (wide > 0) throw new Error(`${name}: must be scrolled sideways`);
    for (const scheme of ['light', 'dark']) {
      const copy = await judge.newPage();
      await copy.emulateMedia({ colorScheme: scheme });
      await copy.route('**/judged', (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: html }));
      await copy.goto(new URL('judged', page.url()).href);
      await copy.addScriptTag({ content: need('axe-core').source });
      const result = await copy.evaluate(() => window.axe.run(document));
      for (const v of result.violations) throw new Error(`${name} (${scheme}): ${v.id}: ${v.help}: ${v.nodes[0].html}`);
      await copy.close();
    }
  }
  const submit = () => page.locator('form button').first().click();

  await page.goto(job.url + '/s/workshops');
  await look('form');
  await page.fill('#address', 'nobody');
  await submit();
  await look('form-again');
  await page.fill('#address', job.address);
  await page.fill('#given-name', 'Zoé');
  await page.selectOption('#language', job.language);
  await page.check('#agree');
  await submit();
  await look('signed-up');
  await page.goto(await ask('mail c'));
  await look('confirm');
  await submit();
  await look('confirmed');
  await ask('confirmed');
  await page.goto(job.url + '/l');
  await look('link');
  await page.fill('#address', job.address);
  await submit();
  await look('linked');
  const choose = await ask('mail p');
  await page.goto(choose);
  await look('preferences');
  await page.locator('input[type=checkbox]').last().check();
  await submit();
  await look('saved');
  await page.goto(choose.replace('/p/', '/u/'));
  await look('leave');
  await submit();
  await look('left');
  await page.locator('form button').first().click(); // undo
  await look('undone');
  await page.goto(job.url + '/nowhere');
  await look('not-found');
  await browser.close();
  console.log('done');
  process.exit(0);
})().catch((error) => { console.error(error.message); process.exit(1); });
