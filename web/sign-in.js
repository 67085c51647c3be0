// What a reader sees who is not signed in: how to get in. There is nothing to type; a link from the server's machine signs in.
import { html, Header, Icon, useEffect } from './page.js';
import { checkSession } from './api.js';

const ASK_AGAIN_MS = 5000;

export default function SignIn() {
  useEffect(() => {
    document.title = 'Sign in · Procession';
    const timer = setInterval(checkSession, ASK_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return html`<${Header} crumbs=${html`<b>Sign in</b>`} />
    <main class="empty">
      <h1><${Icon} name="key-round" /> Sign in with a link</h1>
      <p>Only people who can reach the server's machine may look at its processes. On that machine, run this; it prints a link that works once:</p>
      <pre tabindex="0"><code>procession sign-in --data DIR</code></pre>
      <p><code class="inline">DIR</code> is the folder that the server was started with (<code class="inline">--data</code>). The server's first start prints such a link by itself. Open it in this browser.</p>
      <p class="quiet">Signed in elsewhere in this browser? This page notices within a few seconds.</p>
    </main>`;
}
