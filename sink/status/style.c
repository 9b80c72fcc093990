/* style.c - see style.h.
 *
 * Colours are named by what they say and chosen twice, for light and dark; each text has a contrast of 4.5 to 1 at least with what it stands on, each mark 3 to 1.
 * Fonts are the reader's own, so nothing is loaded. Widths are in rem and ch: whoever has larger letters gets a wider page and not a cut one. */
#include "sink/status/style.h"

#include <string.h>
#include <xxhash.h>

#define COLOURS_DARK \
	"--paper:#14171a;--sheet:#1b1f23;--ink:#e9ebed;--soft:#aab2ba;--line:#31373d;--link:#8fb8ff;" \
	"--operational:#5fc68c;--maintenance:#86b1f5;--degraded:#e2b64a;--partial_outage:#f39a60;--major_outage:#ff7f78;--sign:#14171a"

/* In parts, as no compiler need take a literal of more than 4095 bytes. */
static const char *const parts[] = {
	":root{color-scheme:light dark;--paper:#fafaf8;--sheet:#fff;--ink:#1b1e22;--soft:#565e66;--line:#dfe1dd;--link:#1d55a8;"
	"--operational:#17794a;--maintenance:#2c5fb3;--degraded:#8a6100;--partial_outage:#ad4a00;--major_outage:#bf2430;--sign:#fff}\n"
	"@media (prefers-color-scheme:dark){:root{" COLOURS_DARK "}}\n"
	/* the sheet of paper */
	"*{box-sizing:border-box}\n"
	"html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\n"
	"body{margin:0 auto;max-width:46rem;padding:0 1.25rem 3rem;background:var(--paper);color:var(--ink);"
	"font:1rem/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}\n"
	"h1,h2,h3,h4,p,ul,ol,dl,dd{margin:0;padding:0}\n"
	"h1,h2,h3,h4{line-height:1.25;text-wrap:balance}\n"
	"ul,ol{list-style:none}\n"
	"a{color:var(--link);text-underline-offset:.18em;text-decoration-thickness:.06em}\n"
	"a:hover{text-decoration-thickness:.12em}\n"
	":focus-visible{outline:.15rem solid var(--link);outline-offset:.2rem;border-radius:.15rem}\n"
	"time{white-space:nowrap}\n"
	".skip{position:absolute;left:-100rem}\n"
	".skip:focus{left:1rem;top:1rem;padding:.5rem .75rem;background:var(--sheet);z-index:1}\n"
	".hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}\n"
	/* states */
	".s-operational{--tone:var(--operational)}.s-maintenance{--tone:var(--maintenance)}.s-degraded{--tone:var(--degraded)}"
	".s-partial_outage{--tone:var(--partial_outage)}.s-major_outage{--tone:var(--major_outage)}\n"
	".mark{flex:none;width:1.15em;height:1.15em;fill:var(--tone,currentColor);forced-color-adjust:none}\n"
	".mark .sign{fill:none;stroke:var(--sign);stroke-width:2;stroke-linecap:round;stroke-linejoin:round}\n"
	".state{display:inline-flex;align-items:center;gap:.45rem;color:var(--tone);font-size:.9375rem}\n"
	".when{color:var(--soft);font-size:.875rem}\n"
	".quiet{color:var(--soft)}\n"
	/* the head */
	".top{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:.25rem 2rem;padding:1.5rem 0 1.25rem}\n"
	".brand{font-weight:650;letter-spacing:-.01em}\n"
	"nav ul{display:flex;gap:0 1.25rem}\n"
	"nav a{display:inline-block;padding:.25rem 0;color:var(--soft);text-decoration:none}\n"
	"nav a:hover,nav a[aria-current]{color:var(--ink);text-decoration:underline}\n"
	".banner{display:flex;gap:.75rem;padding:.875rem 1rem;margin-bottom:1rem;border:1px solid var(--degraded);border-radius:.5rem;--tone:var(--degraded)}\n"
	".banner .mark{margin-top:.2em}\n"
	".hero{display:flex;gap:1rem;align-items:flex-start;padding:1.375rem 1.25rem;background:var(--sheet);border:1px solid var(--tone);border-radius:.625rem;"
	"background:color-mix(in srgb,var(--tone) 7%,var(--sheet));border-color:color-mix(in srgb,var(--tone) 45%,var(--sheet))}\n"
	".hero.old{border-style:dashed}\n"
	".hero .mark{width:2rem;height:2rem;margin-top:.1rem}\n"
	".hero h1{font-size:clamp(1.375rem,1.1rem + 1.6vw,1.75rem);font-weight:650;letter-spacing:-.015em}\n"
	".hero p{margin-top:.2rem;color:var(--soft)}\n",
	/* sections */
	"h1{font-size:1.75rem;letter-spacing:-.015em}\n"
	"main>h1{margin-top:.5rem}\n"
	"section,main>h1+h2,main>ul+h2{margin-top:2.5rem}\n"
	"h2{font-size:1.0625rem;font-weight:650;padding-bottom:.5rem}\n"
	"section>p{margin-top:.75rem}\n"
	/* incidents */
	".incident{padding:1.125rem 1.25rem 1.25rem;background:var(--sheet);border:1px solid var(--line);border-radius:.625rem;"
	"border-color:color-mix(in srgb,var(--tone) 40%,var(--line))}\n"
	".incident+.incident{margin-top:1rem}\n"
	".incident h3{font-size:1.1875rem}.incident h1{font-size:1.5rem}\n"
	".incident h3,.incident h1{margin-top:.25rem;font-weight:650}\n"
	".incident h3 a{color:inherit;text-decoration-color:var(--soft)}\n"
	".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,13rem),1fr));gap:.625rem 1.5rem;margin-top:.875rem;font-size:.9375rem}\n"
	".facts dt{color:var(--soft);font-size:.8125rem}\n"
	".posts{margin-top:1.125rem;padding-top:1.125rem;border-top:1px solid var(--line)}\n"
	".posts li+li{margin-top:1.125rem}\n"
	".posts .when strong{color:var(--ink);font-size:.9375rem;margin-inline-end:.375rem}\n"
	".text{margin-top:.2rem;max-width:66ch;white-space:pre-line}\n"
	".text,.detail,.when{text-wrap:pretty}\n"
	/* components */
	".components,.past{border-top:1px solid var(--line)}\n"
	".component,.past li{padding:.8125rem 0;border-bottom:1px solid var(--line)}\n"
	".component .line{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.125rem 1rem}\n"
	".component h3,.component h4{font-size:1rem;font-weight:550}\n"
	".detail{max-width:66ch;margin-top:.25rem;font-size:.9375rem}\n"
	".component .when{margin-top:.125rem}\n"
	".inner{margin:.625rem 0 0;padding-inline-start:1rem;border-top:0;border-inline-start:1px solid var(--line)}\n"
	".inner .component:last-child{border-bottom:0}\n"
	".cells{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,9rem),1fr));gap:.375rem 1rem;margin-top:.75rem;font-size:.9375rem}\n"
	".cells li{display:flex;align-items:baseline;gap:.45rem}\n"
	".cells .mark{position:relative;top:.3em}\n"
	"details{margin-top:.75rem}\n"
	"summary{cursor:pointer;color:var(--soft);padding:.25rem 0}\n"
	/* what is over, and the foot */
	".past h3{font-size:1rem;font-weight:550}\n"
	".past h3 a,nav a,footer a{text-decoration-color:color-mix(in srgb,currentColor 45%,transparent)}\n"
	".moments li{display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;gap:0 1rem;padding:.3rem 0}\n"
	".moments .at{color:var(--soft)}\n"
	"footer{margin-top:3rem;padding-top:1.25rem;border-top:1px solid var(--line);color:var(--soft);font-size:.875rem}\n"
	"footer a{display:inline-block;padding:.2rem 0}\n"
	"@media (max-width:30rem){.moments li{grid-template-columns:1fr}body{padding-inline:1rem}.hero{gap:.75rem;padding:1rem}.incident{padding:1rem}}\n"
	"@media print{body{max-width:none;background:#fff;color:#000}nav,.skip,footer p:first-child{display:none}.incident,.hero,.component{break-inside:avoid}}\n",
};

void style_write(struct buf *out)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		buf_add(out, parts[i], strlen(parts[i]));
}

uint32_t style_version(void)
{
	uint64_t h = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		h = XXH3_64bits_withSeed(parts[i], strlen(parts[i]), h);
	return (uint32_t)h;
}
