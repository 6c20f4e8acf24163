// Times in the reader's time zone, charts, and signing in by a link.
'use strict';

(() => {
    const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

    // The tooltip of every <time datetime> shows the time in the reader's zone.
    const addTooltips = root => {
        for (const time of root.querySelectorAll('time[datetime]:not([title])')) {
            time.title = exact.format(new Date(time.dateTime));
        }
    };

    const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

    // <div class="chart" data-chart="ID"> with <script type="application/json" id="ID">
    // {"times": [seconds], "series": [{"label": "...", "values": [numbers], "colour": 1..4}], "unit": "..."}</script>
    const draw = place => {
        const data = JSON.parse(document.getElementById(place.dataset.chart).textContent);
        const axis = { stroke: colour('--faint'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') } };
        const series = data.series.map(one => ({
            label: one.label, stroke: colour(`--chart-${one.colour}`), width: 2, points: { show: false },
            value: (_, value) => value === null ? '–' : `${value.toLocaleString()}${data.unit ? ' ' + data.unit : ''}`,
        }));
        place.replaceChildren();
        const chart = new uPlot({
            width: place.clientWidth || 300, height: 190, cursor: { y: false }, legend: { live: true },
            scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, 1)] } },
            axes: [axis, { ...axis, size: 56 }], series: [{}, ...series],
        }, [data.times, ...data.series.map(one => one.values)], place);
        new ResizeObserver(() => {
            if (place.clientWidth && place.clientWidth !== chart.width) chart.setSize({ width: place.clientWidth, height: 190 });
        }).observe(place);
    };

    const prepare = root => {
        addTooltips(root);
        for (const place of root.querySelectorAll('[data-chart]')) {
            if (!place.querySelector('.uplot')) draw(place);
        }
    };

    // Keeps "3 minutes ago" true while the page is open.
    const units = [['day', 172800, 86400], ['hour', 7200, 3600], ['minute', 120, 60], ['second', 0, 1]];
    const updateAges = () => {
        for (const time of document.querySelectorAll('time[datetime]')) {
            if (!/ ago$|^just now$/.test(time.textContent)) continue;
            const seconds = Math.max(0, (Date.now() - new Date(time.dateTime)) / 1000);
            const [unit, , length] = units.find(([, least]) => seconds >= least);
            const count = Math.floor(seconds / length);
            const words = seconds < 1 ? 'just now' : `${count} ${unit}${count === 1 ? '' : 's'} ago`;
            if (time.textContent !== words) time.textContent = words;
        }
    };
    setInterval(() => { if (!document.hidden) updateAges(); }, 10000);

    // A live <tbody data-keep="200"> keeps at most 200 rows.
    document.addEventListener('htmx:after:swap', () => {
        for (const place of document.querySelectorAll('[data-keep]')) {
            while (place.children.length > Number(place.dataset.keep)) place.lastElementChild.remove();
        }
    });

    // The session has ended: reloading redirects to the sign-in, which leads back here.
    document.addEventListener('ended', event => { if (event.detail.data === 'session') location.reload(); });

    document.addEventListener('DOMContentLoaded', () => prepare(document));
    document.addEventListener('htmx:after:swap', () => prepare(document));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
        for (const place of document.querySelectorAll('[data-chart]')) draw(place);
    });

    // A link that signs in once has its secret behind the '#', which browsers send to no server.
    const signInByLink = () => {
        const [form, secret] = [document.getElementById('sign-in'), location.hash.slice(1)];
        if (!form || !secret.startsWith('bsl_')) return;
        history.replaceState(null, '', location.pathname + location.search);
        // Not a password, which browsers offer to keep.
        form.elements.token.type = 'hidden';
        form.elements.token.value = secret;
        form.submit();
    };
    document.addEventListener('DOMContentLoaded', signInByLink);
    window.addEventListener('hashchange', signInByLink);

    // <form data-confirm="..."> asks for confirmation.
    document.addEventListener('submit', event => {
        const words = event.target.dataset.confirm;
        if (words && !confirm(words)) event.preventDefault();
    }, true);
})();
