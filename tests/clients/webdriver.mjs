// Chromium without a window, told what to do through chromedriver (W3C WebDriver).
//
// The sandbox of Chromium does not work for root, so it is switched off: only our own pages are loaded.

import { spawn } from 'node:child_process';

const ARGUMENTS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
  '--disable-background-networking', '--no-proxy-server'];

/** Starts chromedriver on a free port, and gives its address. */
async function startDriver() {
  const driver = spawn('chromedriver', ['--port=0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => driver.kill());
  let said = '';
  for await (const piece of driver.stdout) {
    said += piece;
    const port = /started successfully on port (\d+)/.exec(said)?.[1];
    if (port) return `http://127.0.0.1:${port}`;
  }
  throw new Error(`chromedriver does not start: ${said}`);
}

/** Starts a browser, which ends with `command('DELETE', '')`. Gives the function for commands of WebDriver. */
export async function startBrowser() {
  let session = `${await startDriver()}/session`;
  const command = async (method, path, content = {}) => {
    const reply = await fetch(session + path, { method, body: method === 'GET' ? undefined : JSON.stringify(content) });
    const { value } = await reply.json();
    if (!reply.ok) throw new Error(`${path}: ${value.message}`);
    return value;
  };
  const capabilities = { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': { args: ARGUMENTS },
    'goog:loggingPrefs': { browser: 'ALL', performance: 'ALL' } } };
  session += `/${(await command('POST', '', { capabilities })).sessionId}`;
  return command;
}
