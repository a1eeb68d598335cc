"""Words that are written with a capital and are no names. Written by hand; no list of names stands here or anywhere else."""

from __future__ import annotations

ORDINARY = frozenset("""
    a about above after again all also although always am an and another any anyone anything are around as ask at back because been
    before being below best between both but by call can cannot caller could date day dear did do does done during each either else
    enclosed even every everyone first following for found from full further general get give given go going good great had has have he
    hello hence her here hers hey hi him his hola how however i if in indeed initial inside instead into is it its just keep kind last
    later left let like list long made make many may maybe me mine more most much must my name near never new next no nobody none nor
    not nothing note notes now of off often oh ok okay old on once one only or other others our out over overall own per perhaps please
    possible prior re really regarding regards reason recent recently respectfully right same say says see seen self several she should
    since sincerely so some someone something soon still subject such sure take tell than thank thanks that the their them then there
    therefore these they thing things this those though three through thus to today together tomorrow tonight too total toward two under
    until unless up upon us use used very via want was we well were what when where whether which while who whom whose why will with
    within without would yes yesterday yet you your yours zero
    january february march april june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri morning afternoon evening night noon spring summer
    autumn fall winter christmas easter thanksgiving year years month months week weeks days hour hours minute minutes
    mr mrs ms miss mx dr drs doctor prof professor sir madam rev sr sra dra jr ii iii iv esq md do rn np pa phd lpn lcsw pharmd dds cna
    pt pts patient patients member members subscriber enrollee beneficiary insured claimant client clients applicant guarantor dependent
    provider providers physician physicians surgeon nurse nurses specialist therapist pharmacist dentist guardian spouse husband wife
    mother father mom dad son daughter brother sister parent parents child children baby infant aunt uncle grandmother grandfather
    grandson granddaughter cousin niece nephew partner friend neighbor boyfriend girlfriend fiance man woman boy girl male female lady
    gentleman people person family adult adults boss manager coworker employer employee attorney representative agent reviewer
    adjuster examiner director coordinator caregiver aide attending resident consultant radiologist cardiologist neurologist
    oncologist psychiatrist psychologist pediatrician dermatologist gynecologist urologist pathologist anesthesiologist orthopedist
    hospital hospitals clinic clinics center centers centre medical medicine health healthcare care office offices department dept
    unit ward room emergency urgent er ed icu or pacu nicu laboratory lab labs pharmacy school college university institute foundation
    association society academy board committee council company corporation corp inc llc ltd group plan plans program programs project
    service services system systems network agency bureau administration authority state federal county city town village national
    american international united states america usa us uk north south east west northern southern eastern western central english
    spanish french german chinese japanese african european asian hispanic latino caucasian black white blue red green gold silver
    bronze platinum insurance insurer insurers mutual life assurance medicare medicaid aetna cigna humana kaiser anthem optum tricare
    hmo ppo cob eob epo hsa hipaa erisa fda cms cdc nih who cpt icd hcpcs drg bmi mri ct pet ekg ecg eeg emg cpap iv
    policy policies claim claims appeal appeals request requests review reviews decision denial denials denied approval approved
    approve deny upheld overturned coverage covered benefit benefits deductible copay coinsurance premium prior authorization
    authorisation referral formulary tier exception step grievance letter notice form forms page section chapter part paragraph
    article title act law code rule rules regulation contract agreement certificate schedule summary explanation evidence reason
    record records chart document documents file files report reports result results study studies trial trials table figure appendix
    number numbers id no code type kind class category level grade stage phase group status amount charge charges billed paid cost
    chief complaint complaints history hx present present illness past family social surgical review systems physical examination
    exam exams assessment impression diagnosis diagnoses dx treatment tx therapy therapies management course hospital discharge
    admission admitted disposition condition follow followup plan recommendations recommendation instructions medications medication
    meds allergies allergy immunizations vaccine vitals vital signs temperature pulse respiration respirations blood pressure oxygen
    saturation weight height pain heart rate constitutional head eyes ears nose throat neck chest lungs cardiovascular respiratory
    gastrointestinal genitourinary musculoskeletal neurological neurologic psychiatric skin extremities abdomen abdominal back spine
    pelvis rectal lymph lymphatic endocrine hematologic general appearance subjective objective procedure procedures operation
    surgery preoperative postoperative anesthesia complications specimen specimens findings indications indication technique imaging
    radiology pathology cardiology neurology oncology surgery orthopedics pediatrics psychiatry dermatology urology gynecology
    normal negative positive stable acute chronic mild moderate severe left right bilateral upper lower anterior posterior lateral
    medial distal proximal total partial primary secondary tertiary type mellitus diabetes hypertension asthma cancer disease
    syndrome disorder failure infection pneumonia stroke anemia arthritis depression anxiety fracture vitamin insulin tablet tablets
    capsule injection dose daily test tests x-ray ultrasound scan biopsy culture screen screening score scale index criteria
    street avenue road lane drive boulevard court suite apt box zip address phone telephone fax email mail web website portal
    contact home work cell mobile caller speaker operator guest guests host moderator interviewer question answer questions answers
    yes true false unknown other none not na n/a tbd pending draft final signed signature electronically dictated transcribed
    attn attention cc bcc to from sent received copy copies enclosure enclosures encl ref reference
    human user assistant system ai model evalgate json html pdf http https
    new york california texas florida ohio virginia carolina dakota jersey mexico hampshire island puerto rico angeles francisco
    diego antonio washington chicago boston houston dallas philadelphia london paris
    medicines guideline guidelines outcome outcomes criterion clinical independent external internal standard necessity necessary
    experimental investigational eligible eligibility enrollment effective termination renewal customer advocate ombudsman
    coordination services contact center helpline directory handbook booklet brochure rights responsibilities privacy practices
    fee schedule bill billing invoice statement payment remittance allowed balance due refund waiver tax income dental vision hearing
    behavioral mental substance hospice rehabilitation rehab skilled nursing facility ambulance transport equipment durable supply
    supplies wheelchair oxygen sleep apnea knee hip shoulder ankle wrist elbow hand foot leg arm breast brain liver kidney lung
    thyroid bowel colon bladder prostate uterus ovary bone muscle nerve artery vein valve graft
    added asked based began called came ended going having living looking needs only per reviewed seen showed shown started stopped
    taken takes tried using went working written admits complains denies describes endorses reports states says notes
    en pero que cuando como cómo estoy tengo fui hoy ayer este esta eso esto al del se no más muy ya también porque si solo hay
    somebody anybody everybody message messages sheet info mbr mbrs auth addl ltr svc prov hx clm clms dob dos po
    paciente miembro doctor doctora señor señora señorita estimado estimada gracias sí no el la los las un una su mi por para con sin
    plan seguro reclamo médico clínica hospital fecha nombre número teléfono dirección usted ella
""".split())  # fmt: skip

NOT_PEOPLE = frozenset("""
    hospital hospitals clinic clinics center centre centers college university school institute foundation society association street
    avenue road lane drive boulevard court county city park river lake beach mountain island bridge airport hotel church temple
    pharmacy laboratories laboratory health healthcare medical insurance mutual assurance plan plans life group inc llc ltd corp
    company bank care services system systems network partners associates department disease syndrome sign test score scale index
    stage classification criteria procedure operation technique catheter tube stent needle forceps clamp graft valve fracture
    general regional memorial community specialty physicians surgeons helpdesk desk team unit cooperative
    lymphoma sarcoma tumor tumour cell cells virus bacteria antigen antibody factor receptor protein acid vitamin hepatitis type
    reflex maneuver manoeuvre position incision approach law act rule medicare medicaid journal press times home house manor
""".split())  # fmt: skip
"""What follows a capitalised word that is a place, an institution or a thing named after somebody."""

EPONYMS = frozenset("""
    alzheimer parkinson crohn hodgkin cushing addison graves hashimoto raynaud sjogren sjögren barrett meniere ménière down turner
    klinefelter marfan ehlers danlos guillain barre barré wilson huntington tourette bell babinski romberg homan homans murphy mcburney
    rovsing kernig brudzinski lachman mcmurray phalen tinel glasgow apgar gleason breslow clark foley swan ganz hickman billroth roux
    whipple nissen trendelenburg fowler doppler holter wright giemsa gram papanicolaou pap mantoux schirmer snellen kaposi wegener
    kawasaki takayasu behcet behçet peyronie dupuytren baker colles charcot marie tooth wolff white epstein barr coxsackie norwalk
    lyme rocky valsalva heimlich kegel epley braden ranson child pugh killip wells duke jones light mallampati cormack lehane
""".split())  # fmt: skip
"""Whose names stand for diseases, signs and scores; written after no title they are no people."""

LEADERS = frozenset("""
    new san santa los las la el fort port mount mt lake st saint north south east west blue red black white green gold silver united university general
""".split())  # fmt: skip
"""What places and institutions begin with."""

ENDINGS = tuple(
    "tion tions sion ments ology ologist ologists ological ity ities ances ences cence ically iness itis osis oses ectomy "
    "otomy ostomy oscopy opathy emia uria algia plasty graphy graphic metry meter scope scopic lysis genic trophic tropic pathic "
    "phylaxis cillin mycin cycline statin azole pril sartan olol dipine afil mab vir caine profen oxacin amide azine idine "
    "idone etine oxetine triptan gliptin glitazone formin oride ium tic gic mic ics ical ially ative itive "
    "ously ctory ional ular onal ental less ized ised izing ising ating ening eling uling ting sing "
    "ship ward wards wise ently antly edly ingly arily erly cally ilely ectly etely".split()
)
"""How words end that are seldom names: only for two capitalised words that nothing else gives away."""

BOTH = frozenset("""
    april may june august black white blue red green gold silver brown gray grey one two three four five six seven eight nine ten first
    second long good little big small young old strong still near oh day week winter summer spring head hand foot heart back bear page
    price may kind rose grace hope joy faith bishop king dean major will mark bill pat
""".split())  # fmt: skip
"""Ordinary words that also are parts of names: beside another capitalised word they belong to it."""
