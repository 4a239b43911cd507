"""Everything that can go wrong, each with its code; raised where known, rendered in one place.

In `kinds`, where no other room is named:

GatewayError
├── InvalidInput              VAL_2001   a parameter is wrong; the fields are named
├── TooLarge                  VAL_2002   a file or a body is over its limit
├── TypeNotAllowed            VAL_2003   not a still JPEG, PNG or WebP
├── ContentMismatch           VAL_2004   the bytes are not what was declared, or are broken
├── BadFileName               VAL_2005   a file name that could name a path
├── NotFound                  VAL_2006   no such resource, or no longer
├── MethodNotAllowed          VAL_2007   the route exists, the method does not
├── MalformedBody             VAL_2008   not parsable as what Content-Type says
├── SlowBody                  VAL_2009   the request stopped arriving
├── Conflict                  VAL_2010   at odds with what was asked before
├── Unauthenticated           AUTH_1001  a token, a key or a link that is not ours (tokens)
│   ├── TokenInvalid          AUTH_1001  … or no longer
│   │   └── LinkInvalid       AUTH_1001  a signed link that was not signed by us
│   ├── TokenExpired          AUTH_1002  … or past its time
│   │   └── LinkExpired       AUTH_1002  a signed link past its time
│   ├── TokenMissing          AUTH_1003  not for everybody, and nothing is shown
│   └── SignInRefused         AUTH_1006  not this address with this password
├── NotPermitted              AUTH_1004  we know who asks, and he may not
├── CsrfFailed                AUTH_1005  by a cookie, and perhaps from another page
├── RateLimited               RATE_3001  more requests than the limit lets pass (limits)
├── SessionsFull              RATE_3003  more sessions under way than one may have (limits)
├── BudgetSpent               RATE_3004  an API key has cost what it may today (limits)
├── WatchersFull              RATE_3005  more watch than one session or user has places (limits)
├── Busy                      RATE_3002  no room for one more; try again soon
├── ModelNotLoaded            ML_4001    no ready worker serves the engine
│   └── NotDeployed           ML_4001    nor will one: this deployment has no such engine
├── InferenceFailed           ML_4002    the engine failed
├── OutOfMemory               ML_4003    the engine's device has no room for it
├── BadDimensions             ML_4004    picture too small, too big or too narrow
├── Unfit                     ML_4005    the engine cannot use this picture, and says why
├── NotLicensed               ML_4006    the engine is not licensed for this deployment's use
├── TooLate                   ML_4007   the engine could not be done by the caller's deadline
├── PinsFull                  ML_4008   the engine has no room for another pinned garment
├── OutsideFailed                        a service that recommendations ask (recommendations)
│   ├── GeminiFailed          EXT_5001   the one that looks at pictures failed, or is away or off
│   └── EbayFailed            EXT_5002   the shop failed, or is away or off
├── SupabaseFailed            EXT_5003   the sign-in service failed, or is away (tokens)
├── TimedOut                  EXT_5004   a service behind the gateway took too long
├── RemoteEngineFailed        EXT_5005   an engine elsewhere is away (engines)
│   └── RemoteEngineAway      EXT_5005   … and certainly did not take what was asked
├── Internal                  SYS_9001   our fault
├── Misconfigured             SYS_9002   a setting is wrong
├── StorageFailed             SYS_9003   the object store refused or is away
│   └── NotKept               SYS_9003   … when the engine had done its work
├── DatabaseFailed            SYS_9004   the database refused or is away
│   ├── CommitFailed          SYS_9004   … and may have kept the change all the same
│   └── DatabaseRefused       SYS_9001   … or cannot hold what it was given
└── SwitchedOff               SYS_9005   this deployment does not offer it (features)
"""
