// Starts Debian's Chromium with a fresh profile.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PLACES = [process.env['PROCESSION_CHROMIUM'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export async function startBrowser() {
  const executablePath = PLACES.find((place) => place && existsSync(place));
  if (!executablePath) throw new Error('No Chromium found: apt-get install chromium, or set PROCESSION_CHROMIUM to its path.');
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--enable-precise-memory-info'],
  });
}
