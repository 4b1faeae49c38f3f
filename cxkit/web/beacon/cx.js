/*
 * cx.js: how a page is used, as far as its visitor allows. What it sends is described in docs/reference/beacon.md.
 *
 * It keeps no identifier and stores nothing: who this is the server knows by its own cookie, or not at all. It reads
 * no form, no text, no query and no fragment. What is served is cx.min.js, made of this file by `nox -s beacon`.
 */
(() => {
  'use strict';

  if (window.cx) return;
  const cx = (window.cx = { capture() {} });
  const script = document.currentScript;
  if (!script || navigator.webdriver) return;

  const BATCH = 20; // events in one call
  const HELD = 100; // events that wait for a choice
  const EVENT_BYTES = 2500; // BATCH times that stays below the 64 KiB that a browser sends from a page that is left
  const IDLE_MS = 30000; // so long after the last input a page is no longer in use

  const said = script.dataset;
  const url = new URL('i', script.src).href;
  // Without the prefix it could be planted by a neighbouring subdomain.
  const host = location.protocol == 'https:' ? '__Host-' : '';
  // Purpose 2 is analytics; what follows the first full stop is no choice.
  const choices = new RegExp('(?:^|; )' + host + (said.cookie || 'cxkit_consent') + '=1[^.;]*:2([gd])');

  const locale = navigator.language;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  let queue = [];
  let answer; // what the visitor chose (g, d), else what is done before a choice (send, hold, drop)
  let route = said.route;
  let path; // instead of the route, where the page has changed without the server
  let pathname = location.pathname;

  // --- consent ---

  // The cookie is read again before anything is kept or sent. Says whether anything may be kept.
  const allowed = () => {
    try {
      answer = (choices.exec(document.cookie) || [])[1] || said.before;
    } catch (error) {
      answer = 'd'; // a frame that may have no cookies
    }
    if (answer != 'd' && answer != 'drop') return true;
    queue = [];
    shownAt = since = undefined;
  };

  // --- what is sent ---

  const add = (name, properties, more) => {
    if (!allowed()) return;
    // 128 random bits, new for each event: the server counts an event once that arrives twice.
    const id = crypto.getRandomValues(new Uint32Array(4)).join('-');
    const event = { id, at: Date.now(), name, route, path, properties, ...more };
    if (new Blob([JSON.stringify(event)]).size > EVENT_BYTES) return;
    queue.push(event);
    queue = queue.slice(-HELD);
    if (queue.length >= BATCH) send();
  };

  const send = () => {
    if (!allowed() || (answer != 'g' && answer != 'send')) return;
    while (queue.length) {
      const body = JSON.stringify({
        sent: Date.now(),
        gpc: !!navigator.globalPrivacyControl,
        locale,
        zone,
        events: queue.splice(0, BATCH),
      });
      const otherwise = () => {
        try {
          navigator.sendBeacon(url, body);
        } catch (error) {} // it is lost, and the page is none the worse
      };
      // Not sendBeacon first: content blockers know it, and its `true` is no delivery.
      try {
        const headers = { 'content-type': 'text/plain' };
        fetch(url, { method: 'POST', keepalive: true, credentials: 'same-origin', headers, body }).catch(otherwise);
      } catch (error) {
        otherwise();
      }
    }
  };

  // --- engagement: how long a page is visible and in use ---

  let shownAt; // when what is measured now began, on the wall clock
  let since; // up to when it is measured, on the clock that never jumps
  let usedAt;
  let engaged;
  let interactions;
  let scrolled;

  const measure = () => {
    const now = performance.now();
    if (since < now) {
      engaged += Math.max(0, Math.min(now, usedAt + IDLE_MS) - since);
      since = now;
    }
    const { scrollHeight } = document.documentElement;
    scrolled = Math.max(scrolled, Math.min(100, Math.round(((scrollY + innerHeight) / scrollHeight) * 100) || 0));
  };

  const used = (event) => {
    if (shownAt) {
      measure();
      usedAt = performance.now();
      interactions += event.isTrusted && (event.type == 'pointerdown' || event.type == 'keydown');
    }
  };

  const show = () => {
    if (document.visibilityState == 'visible' && !shownAt && allowed()) {
      shownAt = Date.now();
      since = usedAt = performance.now();
      engaged = interactions = 0;
    }
  };

  const enter = () => {
    scrolled = 0;
    shownAt = since = undefined;
    show();
  };

  // At the time when it began: so it belongs to the visit that the page was viewed in, however long it was read.
  const leave = () => {
    if (shownAt && allowed()) {
      measure();
      const properties = { scroll_percent: scrolled, interactions };
      add('page.engaged', properties, { at: shownAt, engaged_ms: Math.round(engaged) });
      shownAt = since = undefined;
    }
    if (vitals && (vitals.lcp_ms || vitals.inp_ms || vitals.cls >= 0)) {
      add('page.vitals', vitals);
      vitals = undefined;
    }
  };

  const hide = () => {
    leave();
    send();
  };

  const view = () => {
    enter();
    add('page.viewed');
  };

  // --- vitals: near what web-vitals measures, not the same ---

  let vitals = {};

  const observe = (type, each) => {
    try {
      if (PerformanceObserver.supportedEntryTypes.includes(type)) {
        new PerformanceObserver((list) => vitals && list.getEntries().forEach(each)).observe({
          type,
          buffered: true,
          durationThreshold: 40,
        });
        return true;
      }
    } catch (error) {} // a browser that cannot
  };

  // A page that was opened in the background was painted when nobody looked.
  if (document.visibilityState == 'visible') {
    let burst = 0;
    let burstBegan = 0;
    let burstEnded = 0;
    observe('largest-contentful-paint', (entry) => {
      vitals.lcp_ms = Math.round(entry.startTime);
    });
    const shifts = observe('layout-shift', ({ hadRecentInput, startTime, value }) => {
      if (hadRecentInput) return;
      const goesOn = startTime - burstEnded < 1000 && startTime - burstBegan < 5000;
      burst = goesOn ? burst + value : value;
      if (!goesOn) burstBegan = startTime;
      burstEnded = startTime;
      vitals.cls = Math.max(vitals.cls, Math.round(burst * 1000) / 1000);
    });
    if (shifts) vitals.cls = 0;
    observe('event', ({ interactionId, duration }) => {
      if (interactionId) vitals.inp_ms = Math.max(vitals.inp_ms || 0, Math.round(duration));
    });
  }

  // --- what happens ---

  const moved = () => {
    if (location.pathname != pathname) {
      leave();
      pathname = location.pathname;
      route = undefined;
      path = pathname.slice(0, 1000);
      view();
    }
  };

  for (const name of ['pushState', 'replaceState']) {
    const native = history[name];
    history[name] = function () {
      queueMicrotask(moved); // nothing of this may raise into the page
      return native.apply(this, arguments);
    };
  }

  const on = (types, listener, where = window) => {
    for (const type of types.split(' ')) where.addEventListener(type, listener, { capture: true, passive: true });
  };

  on('popstate', moved);
  on('pointerdown pointermove keydown scroll', used);
  on('visibilitychange', () => (document.visibilityState == 'visible' ? show() : hide()), document);
  on('pagehide', () => {
    hide();
    queue = []; // what still waits for a choice is not kept for a page that is left
  });
  on('pageshow', (event) => {
    if (event.persisted) view();
  });
  on('cx:consent', () => {
    leave(); // what was before the choice is apart from what follows
    show();
    send();
  });
  on('click', ({ target }) => {
    if (!target.closest) return;
    const marked = target.closest('[data-cx]');
    if (marked) add('element.clicked', { element: marked.getAttribute('data-cx') });
    const link = target.closest('a[href]');
    // No path: on another site it may say more than where somebody goes.
    if (link && /^http/.test(link.protocol) && link.origin != location.origin) add('link.left', { to: link.origin });
  });

  cx.capture = (name, properties) => add(name, properties);
  if (said.views == 'all') view();
  else enter();
})();
